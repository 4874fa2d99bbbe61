"""Certificates, and TLS in front of or inside of servers that tests start without it."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import anyio
import trustme
from anyio.abc import ByteReceiveStream, ByteSendStream, SocketStream
from anyio.streams.tls import TLSStream
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from shared.runtime.clock import SystemClock

POSTGRES_ASKS = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
"""`SSLRequest`, with which PostgreSQL's clients ask for TLS."""
_GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream)


def certificate(authority: trustme.CA) -> trustme.LeafCert:
    """For a server on this machine."""
    return authority.issue_cert("127.0.0.1", "localhost")


def named(authority: trustme.CA, *uris: str) -> trustme.LeafCert:
    """For a client whose names are URIs, which trustme has no words for."""
    key, now = generate_private_key(SECP256R1()), SystemClock().now()
    above = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    signer = load_pem_private_key(authority.private_key_pem.bytes(), None)
    made = (
        x509.CertificateBuilder(above.subject, x509.Name([]), key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(map(x509.UniformResourceIdentifier, uris)), critical=True)
        .sign(signer, SHA256())  # type: ignore[arg-type]  # an authority of trustme's has a key that signs
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return trustme.LeafCert(private, made.public_bytes(Encoding.PEM), [])


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
