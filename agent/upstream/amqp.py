"""Hear changes from the broker: a queue of our own, bound to the three scopes that concern us.

Messages are taken without acknowledgement. An acknowledgement would only tell the broker to send again what a broken
connection lost; but the queue is gone with the connection, and what was lost is noticed by its revision and fetched.
So there is nothing to wait for, and what a slow agent cannot hold is dropped: by us beyond `MAX_WAITING` messages,
by the broker beyond the queue's own bounds. Reconnecting is the business of whoever follows.
"""

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import anyio
from anyio.abc import TaskStatus

from agent.ports import UntrustedError, UpstreamRefusedError, UpstreamUnavailableError, Verifier
from agent.upstream.broker_access import BrokerAccess, Login
from shared.domain.scope import Revisions
from shared.wire.messages import SCHEMA, Message, UnsupportedSchemaError, decode_message
from shared.wire.signature import KEY_HEADER, SIGNATURE_HEADER, About, signature_in
from shared.wire.topology import CHANGES_EXCHANGE, SCHEMA_HEADER, agent_queue, binding_keys

if TYPE_CHECKING:
    from ssl import SSLContext

    from aio_pika.abc import AbstractConnection, AbstractIncomingMessage
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

CONNECT_TIMEOUT = 3.0
SETUP_TIMEOUT = 5.0
CLOSE_TIMEOUT = 1.0
"""A dead connection cannot be closed politely; seconds that we try."""

MAX_WAITING = 2_000
"""Messages that came and were not looked at yet."""

_QUEUE_BOUNDS: dict[str, Any] = {"x-max-length": 10_000, "x-max-length-bytes": 64 * 1024 * 1024}
"""A stuck agent must not fill the broker; the oldest go first, and are missed as a gap."""

_REFUSALS = frozenset(
    {
        "AuthenticationError",
        "ProbableAuthenticationError",
        "ConnectionNotAllowed",
        "ChannelAccessRefused",
        "ChannelPreconditionFailed",
        "ChannelNotAllowed",
    }
)
"""Errors of the client library that only an operator can make go away."""


class AmqpFeed:
    """The broker's side of the `Feed` port. Each time it is followed it makes a new connection and a new queue.

    Where its URL names no user, `access` gets us a credential of our own.
    """

    name = "amqp"

    def __init__(
        self,
        url: str,
        app_id: str,
        environment: str,
        instance: str,
        access: BrokerAccess | None = None,
        *,
        trust: Verifier | None = None,
        tls: "SSLContext | None" = None,
    ) -> None:
        self._url, self._access, self._trust, self._tls = url, access, trust, tls
        self._app_id, self._environment, self._instance = app_id, environment, instance

    def go_to(self, url: str) -> None:
        """Make the next connection there."""
        self._url = url

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Keep our credential fresh, if we have one."""
        if self._access is None:
            task_status.started()
        else:
            await self._access.run(task_status=task_status)

    @asynccontextmanager
    async def follow(self, since: Revisions) -> AsyncIterator[AsyncIterator[Message]]:
        """Hear messages; nothing is replayed, whatever `since` says."""
        _ = since
        async with AsyncExitStack() as stack:
            own = None if urlsplit(self._url).username else self._access
            connection = await self._connect(await own.login() if own else None)
            stack.push_async_callback(_close, connection)
            incoming = stack.enter_context(_Incoming())
            try:
                with anyio.fail_after(SETUP_TIMEOUT):
                    await self._consume(connection, incoming, declare=own is None)
            except Exception as error:
                raise _translated(error) from error
            if own:
                stack.enter_context(own.shown_on(connection))
            yield self._messages(incoming)

    async def _messages(self, incoming: "_Incoming") -> AsyncIterator[Message]:
        async for each in incoming.messages():
            if self._trust is None or await self._believed(self._trust, each):
                yield _read(each)

    async def _believed(self, trust: Verifier, message: "AbstractIncomingMessage") -> bool:
        """Whether to read it; what is not believed, or not yet, is left out, and we go on listening."""
        key = message.routing_key or ""
        place = key if key in binding_keys(self._app_id, self._environment) else ""
        signature = signature_in(message.headers.get(KEY_HEADER), message.headers.get(SIGNATURE_HEADER))
        try:
            await trust.verify(About.MESSAGE, place, message.body, signature, self.name)
        except (UntrustedError, UpstreamUnavailableError):
            return False
        return True

    async def _connect(self, login: Login | None) -> "AbstractConnection":
        # 4 MB that an agent without a broker does not need.
        from aio_pika.connection import Connection, make_url  # noqa: PLC0415

        properties: Any = {"connection_name": f"trimtab-agent {self._instance}"}
        async with AsyncExitStack() as stack:
            try:
                url = make_url(self._url)
                if login is not None:
                    url = url.with_user(login.username).with_password(login.password)
                connection = Connection(url, ssl_context=self._tls, client_properties=properties)
                # Closed, even if it never was open: else its destructor tries, wherever the collector runs.
                stack.push_async_callback(_close, connection)
                with anyio.fail_after(CONNECT_TIMEOUT + 1):
                    await connection.connect(timeout=CONNECT_TIMEOUT)
            except Exception as error:
                if login is not None and self._access is not None and type(error).__name__ in _REFUSALS:
                    self._access.forget()
                raise _translated(error) from error
            stack.pop_all()
            return connection

    async def _consume(self, connection: "AbstractConnection", incoming: "_Incoming", *, declare: bool) -> None:
        channel = await connection.channel(publisher_confirms=False)
        # With a credential of our own we may not declare the exchange: the relay does, before it publishes.
        exchange = await channel.declare_exchange(CHANGES_EXCHANGE, "topic", durable=True, passive=not declare)
        # A name of its own each time: the queue of a connection that just broke may be locked for a while.
        name = agent_queue(self._app_id, self._environment, f"{self._instance}.{secrets.token_hex(4)}")
        queue = await channel.declare_queue(name, exclusive=True, auto_delete=True, arguments=_QUEUE_BOUNDS)
        for key in binding_keys(self._app_id, self._environment):
            await queue.bind(exchange, key)
        for each in (connection, channel, queue):
            each.close_callbacks.add(incoming.closed)
        await queue.consume(incoming.take, no_ack=True)


class _Incoming:
    """Messages between the client library's callback and whoever iterates; bounded."""

    def __init__(self) -> None:
        self._send: MemoryObjectSendStream[AbstractIncomingMessage]
        self._receive: MemoryObjectReceiveStream[AbstractIncomingMessage]
        self._send, self._receive = anyio.create_memory_object_stream(MAX_WAITING)
        self._reason = "the broker closed the connection"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._send.close()
        self._receive.close()

    async def take(self, message: "AbstractIncomingMessage") -> None:
        """Called by the library for each message, in order; never waits."""
        try:
            self._send.send_nowait(message)
        except anyio.WouldBlock:
            self._reason = f"more than {MAX_WAITING} messages wait"
            self._send.close()
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            pass  # it came while we were leaving

    def closed(self, _sender: object, error: BaseException | None = None) -> None:
        """Called by the library when the connection, the channel or the queue is gone."""
        if error is not None:
            self._reason = f"{self._reason}: {type(error).__name__}"
        self._send.close()

    async def messages(self) -> "AsyncIterator[AbstractIncomingMessage]":
        """Iterate until the connection is gone."""
        async for each in self._receive:
            yield each
        raise UpstreamUnavailableError(self._reason)


def _read(message: "AbstractIncomingMessage") -> Message:
    schema = message.headers.get(SCHEMA_HEADER, SCHEMA)
    if schema != SCHEMA:
        msg = f"schema {schema!r}, this reader knows {SCHEMA}"
        raise UnsupportedSchemaError(msg)
    return decode_message(message.body)


async def _close(connection: "AbstractConnection") -> None:
    with anyio.move_on_after(CLOSE_TIMEOUT, shield=True):
        await connection.close()
    with anyio.CancelScope(shield=True):
        await connection.close()  # one that was given up holds no socket any more: this only says so to its destructor


def _translated(error: Exception) -> Exception:
    """The port's error for one of the library's. Its texts may hold the URL with its password: only the type is told."""
    name = type(error).__name__
    if name in _REFUSALS:
        return UpstreamRefusedError(f"the broker refuses us: {name}")
    return UpstreamUnavailableError(f"the broker cannot be reached: {name}")
