"""The control plane over HTTP: snapshots down, reports up, and changes by its event stream."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from agent.ports import ReportAnswer, UntrustedError, UpstreamUnavailableError, Verifier
from agent.upstream.answers import chunks, read
from agent.upstream.endpoints import CONNECT_TIMEOUT, Endpoints
from shared.domain.codec import Json, MalformedJsonError, decode
from shared.domain.scope import Revisions
from shared.wire.messages import Heartbeat, MalformedMessageError, Message, decode_message
from shared.wire.report import Report
from shared.wire.signature import HTTP_HEADER, About, signature_in, signatures_in
from shared.wire.snapshot import MalformedSnapshotError, SnapshotDocument
from shared.wire.sse import CONTENT_TYPE, Event, OversizedFrameError, read_events
from shared.wire.topology import binding_keys

MAX_SNAPSHOT = 256 * 1024 * 1024
"""Bytes of a snapshot, decompressed. Far above any real one; far below what would take the machine down."""

MAX_ANSWER = 64 * 1024
"""Bytes of any other answer."""

DEFAULT_SILENCE = 10.0
"""Seconds without a byte on an event stream before the first heartbeat has told its interval."""

MAX_MOMENT = 253_402_300_799_999
"""The last millisecond of the year 9999."""

_MESSAGE_EVENTS = frozenset({"change", "heartbeat"})


class HttpSource:
    """The control plane's side of the `Source` port."""

    def __init__(self, endpoints: Endpoints, app_id: str, environment: str, *, trust: Verifier | None = None) -> None:
        self._endpoints, self._trust = endpoints, trust
        self._place = f"{app_id}/{environment}"
        self._path = f"api/v1/snapshots/{self._place}"

    async def fetch(self, since: Revisions | None, at_least: int = 0) -> SnapshotDocument:
        """The delta since the given revisions, or the whole snapshot for None."""
        params = {"since": ",".join(str(each) for each in since)} if since is not None else {}
        if at_least:
            params["at_least"] = str(at_least)
        async with self._endpoints.request("GET", self._path, params=params) as response:
            signed = signatures_in(response.headers.get(HTTP_HEADER, ""))
            body = await read(response, MAX_SNAPSHOT)
        if self._trust is not None:
            await self._trust.verify(About.SNAPSHOT, self._place, body, signed[0] if signed else None, "http")
        return SnapshotDocument.decode(body)

    async def report(self, report: Report) -> ReportAnswer:
        """Tell our state; returns when to report again, and what time it is there."""
        async with self._endpoints.request("POST", "api/v1/agents/report", body=report.encode()) as response:
            try:
                answer = decode(await read(response, MAX_ANSWER))
                return ReportAnswer(float(answer["next_report_in"]), _moment(answer.get("now_ms")))
            except (
                MalformedJsonError,
                MalformedSnapshotError,
                LookupError,
                TypeError,
                AttributeError,
                ValueError,
            ) as error:
                msg = "the control plane's answer to a report cannot be read"
                raise UpstreamUnavailableError(msg) from error


class SseFeed:
    """The event stream's side of the `Feed` port."""

    name = "sse"

    def __init__(self, endpoints: Endpoints, app_id: str, environment: str, *, trust: Verifier | None = None) -> None:
        self._endpoints, self._trust = endpoints, trust
        self._keys = binding_keys(app_id, environment)
        self._path = f"api/v1/snapshots/{app_id}/{environment}/watch"
        self._silence = DEFAULT_SILENCE

    @asynccontextmanager
    async def follow(self, since: Revisions) -> AsyncIterator[AsyncIterator[Message]]:
        """Hear messages; the stream starts with a heartbeat, which tells what is missing since `since`."""
        _ = since
        limits = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT, sock_read=self._silence)
        headers = {"Accept": CONTENT_TYPE, "Accept-Encoding": "identity", "Cache-Control": "no-store"}
        async with self._endpoints.request("GET", self._path, headers=headers, limits=limits) as response:
            if response.content_type != CONTENT_TYPE:
                msg = f"an event stream was asked for, {response.content_type} came"
                raise UpstreamUnavailableError(msg)
            yield self._messages(response)

    async def _messages(self, response: aiohttp.ClientResponse) -> AsyncIterator[Message]:
        try:
            async for event in read_events(chunks(response)):
                if event.event in _MESSAGE_EVENTS and await self._believed(event):
                    message = decode_message(event.data)
                    if isinstance(message, Heartbeat):
                        self._silence = message.interval * 3 + 1
                    yield message
        except OversizedFrameError as error:
            raise MalformedMessageError(str(error)) from error
        msg = "the control plane ended the event stream"
        raise UpstreamUnavailableError(msg)

    async def _believed(self, event: Event) -> bool:
        """Whether to read it; what is not believed, or not yet, is left out, and the stream goes on."""
        if self._trust is None:
            return True
        place = event.place if event.place in self._keys else ""
        try:
            signature = signature_in(event.key, event.signature)
            await self._trust.verify(About.MESSAGE, place, event.data, signature, self.name)
        except (UntrustedError, UpstreamUnavailableError):
            return False
        return True


def _moment(told: Json) -> int | None:
    """Unix milliseconds; None from a control plane that does not tell them, or tells nonsense."""
    return told if type(told) is int and 0 <= told <= MAX_MOMENT else None
