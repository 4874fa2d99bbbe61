"""Publish to RabbitMQ and await its confirms: the last step of a change inside the control plane."""

import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TypeAlias

import aio_pika
import anyio
from aio_pika.abc import AbstractConnection, AbstractExchange, HeadersType
from aio_pika.connection import make_url
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError

from control_plane.domain.errors import UnavailableError
from shared.wire import topology
from shared.wire.messages import SCHEMA
from shared.wire.signature import KEY_HEADER, SIGNATURE_HEADER, Signature, encoded

Sign: TypeAlias = Callable[[str, bytes], Signature]
"""Signs a message that travels under a routing key."""
Outgoing: TypeAlias = tuple[str, bytes, Signature | None]

_log = logging.getLogger(__name__)

CONFIRM_WITHIN = 5.0
"""Seconds for connecting, publishing a batch and hearing its confirms. A broker with an alarm exceeds them."""

_HEARTBEAT = 10
"""Seconds of AMQP's own heartbeat, by which a peer that vanished is noticed."""

_CLOSE_WITHIN = 2.0

_FAILURES = (AMQPError, ChannelInvalidStateError, OSError, TimeoutError)


class RabbitPublisher:
    """One connection with one channel, opened when first needed and again whenever it broke.

    All messages of a publisher go through that channel, so they arrive in the order in which they were published.
    """

    def __init__(self, url: str, confirm_within: float = CONFIRM_WITHIN) -> None:
        self._url, self._confirm_within = url, confirm_within
        self.sign: Sign | None = None
        self._connection: AbstractConnection | None = None
        self._exchange: AbstractExchange | None = None
        self._opening = anyio.Lock()

    async def publish(self, routing_key: str, body: bytes, *, persistent: bool = True) -> None:
        await self.publish_all([(routing_key, body)], persistent=persistent)

    async def publish_all(self, batch: Sequence[tuple[str, bytes]], *, persistent: bool = True) -> None:
        with _translated():
            try:
                with anyio.fail_after(self._confirm_within):
                    exchange = await self._open()
                    await _send(exchange, self._signed(batch), persistent=persistent)
            except (
                BaseException
            ):  # a cancelled batch too: what was sent of it is unknown, so its channel must not go on
                await self.close()
                raise

    def _signed(self, batch: Sequence[tuple[str, bytes]]) -> list[Outgoing]:
        if self.sign is None:
            return [(key, body, None) for key, body in batch]
        return [(key, body, self.sign(key, body)) for key, body in batch]

    async def connect(self) -> None:
        """Be connected.

        Raises:
            UnavailableError: the broker is away.
        """
        with _translated(), anyio.fail_after(self._confirm_within):
            await self._open()

    async def close(self) -> None:
        """Let go of the connection; the next use opens a new one."""
        connection, self._connection, self._exchange = self._connection, None, None
        if connection is not None:
            with anyio.move_on_after(_CLOSE_WITHIN, shield=True):
                try:
                    await connection.close()
                except _FAILURES as error:
                    _log.debug("closing a broken connection", extra={"error": repr(error)})
            with anyio.CancelScope(shield=True):
                await connection.close()  # given up, it holds no socket any more: this only says so to its destructor

    async def _drop(self, exchange: AbstractExchange) -> None:
        """Let go of the connection unless somebody has opened the next one already."""
        if self._exchange is exchange:
            await self.close()

    async def _open(self) -> AbstractExchange:
        async with self._opening:
            if self._exchange is not None and self._connection is not None and not self._connection.is_closed:
                return self._exchange
            await self.close()
            # Kept, and so closed, even if it never opens: else its destructor tries, wherever the collector runs.
            self._connection = aio_pika.Connection(make_url(self._url), heartbeat=_HEARTBEAT)
            await self._connection.connect()
            channel = await self._connection.channel(publisher_confirms=True)
            self._exchange = await channel.declare_exchange(
                topology.CHANGES_EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True
            )
            _log.info("connected to the broker")
            return self._exchange


@asynccontextmanager
async def open_publisher(url: str) -> AsyncIterator[RabbitPublisher]:
    """A publisher until the block ends. The broker need not be there yet."""
    publisher = RabbitPublisher(url)
    try:
        yield publisher
    finally:
        await publisher.close()


async def _send(exchange: AbstractExchange, batch: Sequence[Outgoing], *, persistent: bool) -> None:
    """Hand all messages over in their order, then wait for all confirms together."""
    if len(batch) == 1:
        await _send_one(exchange, *batch[0], persistent)
        return
    async with anyio.create_task_group() as group:
        for each in batch:
            group.start_soon(_send_one, exchange, *each, persistent)


async def _send_one(
    exchange: AbstractExchange,
    routing_key: str,
    body: bytes,
    signature: Signature | None,
    persistent: bool,  # noqa: FBT001 - start_soon takes no keywords
) -> None:
    mode = aio_pika.DeliveryMode.PERSISTENT if persistent else aio_pika.DeliveryMode.NOT_PERSISTENT
    headers: HeadersType = {topology.SCHEMA_HEADER: SCHEMA}
    if signature is not None:
        headers |= {SIGNATURE_HEADER: encoded(signature.raw), KEY_HEADER: signature.kid}
    message = aio_pika.Message(body, content_type="application/json", delivery_mode=mode, headers=headers)
    await exchange.publish(message, routing_key, mandatory=False)


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the driver's errors, alone or in groups, into ours."""
    failure: BaseException | None = None
    try:
        yield
    except* _FAILURES as group:
        failure = group
    if failure is not None:
        dependency, error = "rabbitmq", _first(failure)
        detail = "did not confirm in time" if isinstance(error, TimeoutError) else type(error).__name__
        raise UnavailableError(dependency, detail) from failure


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
