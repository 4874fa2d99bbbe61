"""An agent whose clock is off (`ODD_CLOCK`, seconds), and which is older than the schema of exposures (`ODD_SCHEMA`)."""

import os
import sys
from datetime import datetime, timedelta

from agent.__main__ import main
from shared.domain import exposure
from shared.runtime.clock import SystemClock

_RIGHT = SystemClock.now


def _now(clock: SystemClock) -> datetime:
    return _RIGHT(clock) + timedelta(seconds=float(os.environ.get("ODD_CLOCK", "0")))


if __name__ == "__main__":
    SystemClock.now = _now  # type: ignore[method-assign]  # another machine's clock
    exposure.SCHEMA = int(os.environ.get("ODD_SCHEMA", "1"))
    sys.exit(main())
