"""A sample application: reads its configs from the agent beside it and says what changed. Standard library only.

It asks with the ETag of the last answer, so that an unchanged configuration costs an empty 304 over loopback.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
from typing import Any

AGENT = os.environ.get("TRIMTAB_AGENT_URL", "http://127.0.0.1:2772")
_EVERY_SECONDS = 1.0
_TIMEOUT_SECONDS = 5.0
_NOT_MODIFIED = 304


def read(etag: str) -> tuple[dict[str, Any] | None, str]:
    """The agent's answer and its ETag; no answer where nothing has changed since `etag`."""
    request = urllib.request.Request(f"{AGENT}/v1/configs", headers={"If-None-Match": etag} if etag else {})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
            return json.load(answer), answer.headers.get("ETag", "")
    except urllib.error.HTTPError as error:
        with error:
            if error.code == _NOT_MODIFIED:
                return None, etag
            raise


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """One line for each key whose value is new, different or gone."""
    lines = []
    for key in sorted(before.keys() | after.keys()):
        if key not in after:
            lines.append(f"{key} is gone")
        elif key not in before or before[key] != after[key]:
            lines.append(f"{key} = {json.dumps(after[key])}")
    return lines


def main() -> None:
    """Follow the configs for as long as we run; an agent that does not answer changes nothing for us."""
    values: dict[str, Any] = {}
    etag = ""
    while True:
        try:
            document, etag = read(etag)
        except (OSError, ValueError) as error:
            sys.stderr.write(f"the agent does not answer, going on with what we have: {error}\n")
            document = None
        if document is not None:
            fresh = {key: config["value"] for key, config in document["configs"].items()}
            for line in differences(values, fresh):
                sys.stdout.write(f"revision {document['revision']}: {line}\n")
            sys.stdout.flush()
            values = fresh
        time.sleep(_EVERY_SECONDS)


if __name__ == "__main__":
    main()
