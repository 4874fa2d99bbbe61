"""The proxy that breaks lines: each fault does what its name says, and heals."""

from collections.abc import AsyncIterator

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

from tests.fakes.fault_proxy import FaultProxy, fault_proxy

_BROKEN = (OSError, anyio.EndOfStream, anyio.BrokenResourceError)


@pytest.fixture
async def proxy() -> AsyncIterator[FaultProxy]:
    """A proxy before a server that echoes."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - no Django here
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, _echo)
        async with fault_proxy(f"tcp://127.0.0.1:{port}") as proxy:
            yield proxy
        group.cancel_scope.cancel()


async def _echo(stream: SocketStream) -> None:
    async with stream:
        try:
            async for piece in stream:
                await stream.send(piece)
        except _BROKEN:
            return


async def _ask(stream: SocketStream, word: bytes) -> bytes:
    await stream.send(word)
    with anyio.fail_after(5):
        return await stream.receive()


async def _connect(proxy: FaultProxy) -> SocketStream:
    return await anyio.connect_tcp(proxy.host, proxy.port)


async def test_a_whole_line_passes_everything_on(proxy: FaultProxy) -> None:
    async with await _connect(proxy) as stream:
        assert await _ask(stream, b"hello") == b"hello"


async def test_a_cut_breaks_what_stands_and_lets_new_connections_in(proxy: FaultProxy) -> None:
    async with await _connect(proxy) as stream:
        assert await _ask(stream, b"hello") == b"hello"
        proxy.cut()
        with pytest.raises(_BROKEN):
            await _ask(stream, b"again")
    async with await _connect(proxy) as stream:
        assert await _ask(stream, b"new") == b"new"
    assert proxy.accepted == 2


async def test_a_refusing_line_lets_nobody_in_until_it_heals(proxy: FaultProxy) -> None:
    proxy.refuse()
    async with await _connect(proxy) as stream:
        with pytest.raises(_BROKEN):
            await _ask(stream, b"hello")
    proxy.heal()
    async with await _connect(proxy) as stream:
        assert await _ask(stream, b"hello") == b"hello"


async def test_a_black_hole_keeps_the_connection_and_delivers_late(proxy: FaultProxy) -> None:
    async with await _connect(proxy) as stream:
        assert await _ask(stream, b"hello") == b"hello"
        proxy.blackhole()
        await stream.send(b"late")
        with anyio.move_on_after(0.05) as patience:
            await stream.receive()
        assert patience.cancelled_caught
        proxy.heal()
        with anyio.fail_after(5):
            assert await stream.receive() == b"late"


async def test_a_delay_makes_every_answer_late(proxy: FaultProxy) -> None:
    proxy.delay = 0.05
    async with await _connect(proxy) as stream:
        before = anyio.current_time()
        assert await _ask(stream, b"hello") == b"hello"
        assert anyio.current_time() - before >= 0.1


async def test_a_url_by_way_of_the_proxy_keeps_its_login_and_path(proxy: FaultProxy) -> None:
    assert proxy.url("amqp://guest:guest@10.0.0.1:5672/v1") == f"amqp://guest:guest@{proxy.host}:{proxy.port}/v1"
