"""Server-sent events: frames out, frames in. Used by the watch of the control plane and of the agent."""

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass

from shared.wire.signature import Signature, encoded

CONTENT_TYPE = "text/event-stream"
MAX_FRAME = 64 * 1024 * 1024
"""A reader gives up on a frame larger than this: the largest change there can be, many times over."""


class OversizedFrameError(ValueError):
    """The stream sent a frame larger than `MAX_FRAME`."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event as it was read."""

    event: str
    data: bytes
    id: str = ""
    place: str = ""
    """The routing key under which the same message travels over the broker."""
    signature: str = ""
    key: str = ""


def frame(event: str, data: bytes, id_: str = "") -> bytes:
    """One event's bytes. `data` has no newline: our payloads are compact JSON."""
    head = f"id: {id_}\n" if id_ else ""
    return b"%sevent: %s\ndata: %s\n\n" % (head.encode(), event.encode(), data)


def signed_frame(event: str, data: bytes, place: str, signature: Signature) -> bytes:
    """One event's bytes with who signed it, in fields that other readers ignore."""
    head = f"place: {place}\nkey: {signature.kid}\nsignature: {encoded(signature.raw)}\n"
    return head.encode() + frame(event, data)


def comment(text: str) -> bytes:
    """A line that readers ignore; it keeps the connection in use."""
    return f": {text}\n\n".encode()


def chunk(body: bytes) -> bytes:
    """Wrap bytes as one chunk of HTTP/1.1 chunked coding, for writing one encoded frame to many transports."""
    return b"%x\r\n%s\r\n" % (len(body), body)


async def read_events(chunks: AsyncIterable[bytes]) -> AsyncIterator[Event]:
    """Cut a byte stream into events; comments and unknown fields are dropped.

    Raises:
        OversizedFrameError: a frame does not end within `MAX_FRAME`.
    """
    pending = bytearray()
    async for piece in chunks:
        start = max(0, len(pending) - 2)  # what is before was looked through already
        pending += piece
        if b"\r" in pending:
            pending, start = bytearray(pending.replace(b"\r\n", b"\n")), 0
        while (end := pending.find(b"\n\n", start)) >= 0:
            block = bytes(pending[:end])
            del pending[: end + 2]
            start = 0
            if (event := _event(block)) is not None:
                yield event
        if len(pending) > MAX_FRAME:
            msg = f"no end of frame within {MAX_FRAME} bytes"
            raise OversizedFrameError(msg)


def _event(block: bytes) -> Event | None:
    name, id_, data = "message", "", []
    signed = {b"place": "", b"signature": "", b"key": ""}
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match field:
            case b"event":
                name = value.decode(errors="replace")
            case b"id":
                id_ = value.decode(errors="replace")
            case b"data":
                data.append(value)
            case _ if field in signed:
                signed[field] = value.decode(errors="replace")
            case _:
                pass
    return Event(name, b"\n".join(data), id_, signed[b"place"], signed[b"signature"], signed[b"key"]) if data else None
