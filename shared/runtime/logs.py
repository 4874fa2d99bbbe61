"""Logs: one JSON object a line for machines, or short lines for a person at a terminal.

A record is one line, whatever it holds: what strangers sent may be in it, and must neither forge a line nor lose one.
"""

import logging
import sys
from datetime import UTC, datetime
from typing import Any

from shared.domain.codec import encode
from shared.wire.text import visible

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and whatever was given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        document: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": _encodable(record.getMessage()),
        }
        document |= {k: _plain(v) for k, v in record.__dict__.items() if k not in _STANDARD}
        if record.exc_info:
            document["exception"] = _encodable(self.formatException(record.exc_info))
        return encode(document).decode()


class TextFormatter(logging.Formatter):
    """`12:00:00 WARNING agent.sync  message  key=value`."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        extra = " ".join(f"{k}={v}" for k, v in record.__dict__.items() if k not in _STANDARD)
        line = visible(f"{at} {record.levelname:<7} {record.name}  {record.getMessage()}  {extra}".rstrip())
        return f"{line}\n{_encodable(self.formatException(record.exc_info))}" if record.exc_info else line


def configure(level: str, form: str = "json") -> None:
    """Send all logs of `level` and above to standard error, as `json` or `text`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextFormatter() if form == "text" else JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # These two tell in their own words, and at length, what our adapters already report once.
    for noisy in ("aio_pika", "aiormq"):
        logging.getLogger(noisy).setLevel(logging.CRITICAL)


def _plain(value: object) -> object:
    """The value as JSON can have it, or else its text."""
    if isinstance(value, str):
        return _encodable(value)
    try:
        encode(value)
    except TypeError:
        return _encodable(str(value))
    return value


def _encodable(text: str) -> str:
    """The text, with escapes for what no encoding has: bytes that were not text when they came."""
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()
