"""The bytes of an answer: its head, with the date of this second, and its body."""

from email.utils import formatdate
from http import HTTPStatus

from agent.local_api.reply import Reply

_LINES = {status: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_WITHOUT_LENGTH = frozenset({HTTPStatus.NOT_MODIFIED, HTTPStatus.NO_CONTENT})


def head_of(reply: Reply, date: str) -> bytes:
    """Everything before the body."""
    fields = "".join([f"{name}: {value}\r\n" for name, value in reply.headers])
    length = "" if reply.status in _WITHOUT_LENGTH else f"Content-Length: {len(reply.body)}\r\n"
    return f"{_LINES[HTTPStatus(reply.status)]}{fields}{length}Date: {date}\r\n\r\n".encode("latin-1")


def date_now() -> str:
    """This moment, as HTTP writes it."""
    return formatdate(usegmt=True)
