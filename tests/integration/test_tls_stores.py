"""PostgreSQL, Redis and RabbitMQ over TLS: what is checked, by whose certificates, and that new ones are taken up."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from control_plane.domain.errors import UnavailableError
from control_plane.main import running_control_plane
from control_plane.rabbitmq.publisher import open_publisher
from control_plane.redis_cache.client import open_redis
from control_plane.settings.load import load_settings
from control_plane.starting import StartError
from tests.rig.installation import Servers, installation
from tests.rig.seals import ENCRYPTION_KEY
from tests.rig.tls import POSTGRES_ASKS, certificate, serving_with, terminating_tls, write


@dataclass
class Stores:
    """All three over TLS. Redis and RabbitMQ ask for our certificate as well."""

    directory: Path
    database: str
    redis: str
    amqp: str

    @property
    def servers(self) -> Servers:
        """Their URLs, with the files that check their certificates."""
        ca, own, key = (self.directory / name for name in ("authority.pem", "own.pem", "own.key"))
        return Servers(
            f"{self.database}?sslmode=verify-full&sslrootcert={ca}",
            f"{self.redis}?ssl_ca_certs={ca}&ssl_certfile={own}&ssl_keyfile={key}",
            f"{self.amqp}?cafile={ca}&certfile={own}&keyfile={key}",
        )

    def trust(self, authority: trustme.CA) -> None:
        (self.directory / "authority.pem").write_bytes(authority.cert_pem.bytes())


@asynccontextmanager
async def over_tls(directory: Path, authority: trustme.CA, *urls: str) -> AsyncIterator[Stores]:
    write(authority.issue_cert("control-plane"), directory, "own")
    context = serving_with(certificate(authority), authority)
    postgres, redis, amqp = (urlsplit(each) for each in urls)
    async with (
        terminating_tls(
            postgres.port or 0, serving_with(certificate(authority)), asked=POSTGRES_ASKS
        ) as behind_postgres,
        terminating_tls(redis.port or 0, context) as behind_redis,
        terminating_tls(amqp.port or 0, context) as behind_amqp,
    ):
        yield Stores(
            directory,
            f"postgresql://postgres@127.0.0.1:{behind_postgres}{postgres.path}",
            f"rediss://127.0.0.1:{behind_redis}{redis.path}",
            f"amqps://guest:guest@127.0.0.1:{behind_amqp}{amqp.path}",
        )


async def test_an_installation_whose_every_connection_is_over_tls(
    tmp_path: Path, migrated_url: str, redis_url: str, amqp_url: str
) -> None:
    authority = trustme.CA()
    async with over_tls(tmp_path, authority, migrated_url, redis_url, amqp_url) as stores:
        stores.trust(authority)
        async with installation(tmp_path, stores.servers) as site:
            plane = await site.control_plane()
            await site.register(plane)
            files = {"CA": "authority.pem", "CERTIFICATE": "own.pem", "KEY": "own.key"}
            own = {f"TRIMTAB_AGENT_{name}_FILE": str(tmp_path / file) for name, file in files.items()}
            agent = await site.agent("one", [plane], **own, TRIMTAB_AMQP_URL=stores.amqp)
            await site.until_status(agent, 20, transport="amqp")
            await site.put(plane, "limit", 1)
            await site.until_value(agent, "limit", 1, within=20)


async def test_a_store_with_somebody_elses_certificate_is_not_used_until_it_is_trusted(
    tmp_path: Path, migrated_url: str, redis_url: str, amqp_url: str
) -> None:
    authority = trustme.CA()
    async with over_tls(tmp_path, authority, migrated_url, redis_url, amqp_url) as stores:
        stores.trust(trustme.CA())
        async with open_redis(stores.servers.redis_url) as client, open_publisher(stores.servers.amqp_url) as publisher:
            with pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
                await client.ping()
            with pytest.raises(UnavailableError):
                await publisher.publish("global", b"{}")
            stores.trust(authority)
            assert await client.ping()
            await publisher.publish("global", b"{}")
        stores.trust(trustme.CA())
        environ = stores.servers.environ() | {"TRIMTAB_ENCRYPTION_KEY": ENCRYPTION_KEY, "TRIMTAB_DATABASE_WAIT": "0.5"}
        with pytest.raises(StartError, match="SSLCertVerificationError"):
            async with running_control_plane(load_settings(environ)):
                pass
