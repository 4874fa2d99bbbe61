"""Log lines: one a record, whatever a record holds."""

import logging
import sys

import pytest

from shared.domain.codec import decode
from shared.runtime.logs import JsonFormatter, TextFormatter

FORGED = "nope\n12:00:00 ERROR   root  forged\x1b[31m"


def record(message: str, **extra: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "agent.sync", "levelname": "INFO", "msg": message, "created": 0.0})
    made.__dict__.update(extra)
    return made


def fail(message: str) -> None:
    raise ValueError(message)


@pytest.mark.parametrize(
    "value", [FORGED, "\udcff", 2**70, float("nan"), b"\xff", {"a": {1, 2}}, {1: "\udcff"}, [object]]
)
def test_whatever_was_given_is_one_json_object(value: object) -> None:
    line = JsonFormatter().format(record("applied", value=value))
    assert "\n" not in line
    assert decode(line.encode())["message"] == "applied"


def test_json_holds_what_was_given_as_it_was() -> None:
    document = decode(JsonFormatter().format(record("a\udcff", revision=7, keys=["a"], none=None)).encode())
    assert document == {
        "time": "1970-01-01T00:00:00.000+00:00",
        "level": "INFO",
        "logger": "agent.sync",
        "message": "a\\udcff",
        "revision": 7,
        "keys": ["a"],
        "none": None,
    }


def test_text_is_one_line_that_cannot_be_forged() -> None:
    line = TextFormatter().format(record("grüß dich", path=FORGED, bad="\udcff"))
    assert (
        line == r"00:00:00 INFO    agent.sync  grüß dich  path=nope\n12:00:00 ERROR   root  forged\x1b[31m bad=\udcff"
    )
    assert TextFormatter().format(record(FORGED)).count("\n") == 0
    line.encode()


@pytest.mark.parametrize("formatter", [JsonFormatter(), TextFormatter()])
def test_an_exception_is_told_with_its_traceback(formatter: logging.Formatter) -> None:
    try:
        fail("odd \udcff")
    except ValueError:
        failed = record("failed")
        failed.exc_info = sys.exc_info()
    line = formatter.format(failed)
    assert "Traceback" in line
    assert "odd \\" in line
    line.encode()
