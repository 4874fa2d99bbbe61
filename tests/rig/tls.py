"""Certificates, and TLS in front of or inside of servers that tests start without it."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
import trustme
from anyio.abc import ByteReceiveStream, ByteSendStream, SocketStream
from anyio.streams.tls import TLSStream

POSTGRES_ASKS = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
"""`SSLRequest`, with which PostgreSQL's clients ask for TLS."""
_GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream)


def certificate(authority: trustme.CA) -> trustme.LeafCert:
    """For a server on this machine."""
    return authority.issue_cert("127.0.0.1", "localhost")


def write(leaf: trustme.LeafCert, directory: Path, name: str) -> dict[str, str]:
    """A certificate and its key as files, by the endings of the settings that name them."""
    chain, key = directory / f"{name}.pem", directory / f"{name}.key"
    chain.write_bytes(b"".join(each.bytes() for each in leaf.cert_chain_pems))
    key.write_bytes(leaf.private_key_pem.bytes())
    return {"CERTIFICATE_FILE": str(chain), "KEY_FILE": str(key)}


def serving_with(leaf: trustme.LeafCert, clients_by: trustme.CA | None = None) -> ssl.SSLContext:
    """For who listens; `clients_by`: clients have to show a certificate of this authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    leaf.configure_cert(context)
    if clients_by is not None:
        clients_by.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@asynccontextmanager
async def terminating_tls(port: int, context: ssl.SSLContext, *, asked: bytes = b"", at: int = 0) -> AsyncIterator[int]:
    """Listen with TLS, `at` or on any port, which is given back, and pass everything on to a port of loopback.

    `asked`: what clients send before they begin with TLS, and get an `S` for, as PostgreSQL's do.
    """
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=at)

    async def relay(plain: SocketStream) -> None:
        async with plain:
            if asked:
                assert await plain.receive(len(asked)) == asked
                await plain.send(b"S")
            try:
                client = await TLSStream.wrap(plain, server_side=True, ssl_context=context, standard_compatible=False)
            except (*_GONE, ssl.SSLError):
                return  # whoever does not like our certificate
            async with await anyio.connect_tcp("127.0.0.1", port) as server, anyio.create_task_group() as both:
                both.start_soon(_pump, client, server, both.cancel_scope)
                both.start_soon(_pump, server, client, both.cancel_scope)

    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, relay)
        try:
            yield int(listener.extra(anyio.abc.SocketAttribute.local_port))  # noqa: S610 - there is no Django here
        finally:
            group.cancel_scope.cancel()


async def _pump(source: ByteReceiveStream, sink: ByteSendStream, connection: anyio.CancelScope) -> None:
    """Until one side is gone: so is the connection then."""
    with suppress(*_GONE):
        async for piece in source:
            await sink.send(piece)
    connection.cancel()
