"""What every test stands on: markers by folder, a clean environment, and real servers for those who ask for one."""

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from hypothesis import HealthCheck, settings

from tests.rig import tally
from tests.servers import debian, rabbitmq
from tests.servers.choice import obtain
from tests.servers.databases import clone, create, drop
from tests.servers.server import Server, ServerError
from tests.servers.session import Session
from tests.servers.vhosts import forget_exchange, fresh_vhost
from tests.servers.wire import Answer

_SERVER_OF_FIXTURE = {
    "postgres_url": "postgres",
    "migrated_url": "postgres",
    "other_url": "postgres",
    "redis_url": "redis",
    "amqp_url": "rabbitmq",
    # A server of its own needs what the shared one needs: installing it is done before any test's time runs.
    "own_postgres": "postgres",
    "own_redis": "redis",
    "own_rabbitmq": "rabbitmq",
    "prometheus": "prometheus",
}
_MARKERS = {"unit", "property", "contract", "integration", "e2e", "chaos"}
_SESSION = pytest.StashKey[Session]()
_REDIS_DATABASES = 16
_TRIED: dict[str, tally.Tally] = {}
"""By module, as the reports of its tests come in."""

settings.register_profile(
    "ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("explore", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_configure(config: pytest.Config) -> None:
    """Forget the settings of the person who runs the tests, and find the session's servers when we are a worker."""
    for name in [name for name in os.environ if name.startswith("TRIMTAB_") and not name.startswith("TRIMTAB_TEST_")]:
        del os.environ[name]
    if _is_worker(config):
        config.stash[_SESSION] = Session(Path(getattr(config, "workerinput")["trimtab_servers"]))  # noqa: B009 - xdist puts it there


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """In xdist's controller: tell a worker where the session's servers are."""
    node.workerinput["trimtab_servers"] = str(_session(node.config).root)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by the folder that it lies in."""
    here = Path(__file__).parent
    for item in items:
        folder = item.path.relative_to(here).parts[0] if item.path.is_relative_to(here) else ""
        if folder in _MARKERS:
            item.add_marker(folder)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Have the servers started that the collected tests ask for, all at the same time."""
    if not session.config.option.collectonly:
        for name in _wanted(session):
            _session(session.config).want(name)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Wait for the servers before the first test, outside any test's time limit."""
    if session.config.option.collectonly or session.testsfailed:
        return
    for name in _wanted(session):
        try:
            _session(session.config).get(name)
        except ServerError as error:
            if not _is_worker(session.config):  # a worker that leaves looks like one that crashed: there, tests fail
                pytest.exit(str(error), returncode=1)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add what a test has tried to what was tried before."""
    for name, found in report.user_properties:
        if name == tally.PROPERTY and report.when == "teardown":
            known = _TRIED.setdefault(report.nodeid.partition("::")[0], [0, 0])
            known[:] = [sum(each) for each in zip(known, found, strict=True)]  # type: ignore[call-overload]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much was tried."""
    if _TRIED:
        terminalreporter.section("inputs that were made up")
        for line in tally.lines(_TRIED):
            terminalreporter.write_line(line)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what was started."""
    if _SESSION in config.stash:
        config.stash[_SESSION].end()


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _wanted(session: pytest.Session) -> list[str]:
    asked = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    return sorted({server for fixture, server in _SERVER_OF_FIXTURE.items() if fixture in asked})


def _session(config: pytest.Config) -> Session:
    if _SESSION not in config.stash:
        capture = config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():  # the steward's progress belongs on the terminal
            config.stash[_SESSION] = Session.begin()
    return config.stash[_SESSION]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Trimtab runs on asyncio."""
    return "asyncio"


@pytest.fixture
def counted(request: pytest.FixtureRequest) -> Iterator[tally.Tally]:
    """How many inputs the test tries, and how many are accepted; told at the end of the run."""
    tried = [0, 0]
    yield tried
    request.node.user_properties.append((tally.PROPERTY, tuple(tried)))


@pytest.fixture(scope="session")
def curl() -> str:
    """The program that our documentation's commands use; installed where we may."""
    if shutil.which("curl") is None and debian.can_install():
        debian.install("curl")
    found = shutil.which("curl")
    if found is None:
        pytest.fail("the documentation's commands need curl: install it, or run the tests as root on Debian or Ubuntu")
    return found


@pytest.fixture(scope="session")
def systemd_analyze() -> str:
    """What reads units; it is of systemd and needs no systemd to run; installed where we may."""
    if shutil.which("systemd-analyze") is None and debian.can_install():
        debian.install("systemd")
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.fail("the units need systemd-analyze: install systemd, or run the tests as root on Debian or Ubuntu")
    return found


@pytest.fixture(scope="session")
def nginx() -> str:
    """A web server whose configuration is rendered; installed where we may."""
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin"
    if shutil.which("nginx", path=path) is None and debian.can_install():
        debian.install("nginx")
    found = shutil.which("nginx", path=path)
    if found is None:
        pytest.fail(
            "a set is checked and reloaded with nginx: install it, or run the tests as root on Debian or Ubuntu"
        )
    return found


@pytest.fixture(scope="session")
def npm_packages() -> None:
    """The locked npm packages of `tests/clients`: real clients in JavaScript."""
    from tests.rig import node  # noqa: PLC0415 - only those who need Node need its wheel

    try:
        node.install()
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        pytest.fail(f"the OpenFeature clients in JavaScript cannot be installed from the npm registry: {error}")


@pytest.fixture(scope="session")
def chromium() -> Path:
    """A real browser; installed where we may."""
    from tests.rig import browser  # noqa: PLC0415 - as above

    if browser.chromium() is None and debian.can_install():
        debian.install("chromium")
    found = browser.chromium()
    if found is None:
        pytest.fail("the web SDK needs a browser: install chromium, or run the tests as root on Debian")
    return found


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Session:
    """The servers that all workers share."""
    return _session(request.config)


@pytest.fixture(scope="session")
def worker_number(request: pytest.FixtureRequest) -> int:
    """Which of xdist's workers this is; 0 without them."""
    return int(getattr(request.config, "workerinput", {}).get("workerid", "gw0")[2:])


def _address(servers: Session, name: str) -> Answer:
    try:
        return servers.get(name)
    except ServerError as error:
        reason = str(error)
    pytest.fail(reason, pytrace=False)


@pytest.fixture
async def postgres_url(servers: Session) -> AsyncIterator[str]:
    """A fresh, empty database."""
    server = _address(servers, "postgres").url
    url = await create(server)
    yield url
    await drop(server, url)


@pytest.fixture(scope="session")
async def _template(servers: Session) -> AsyncIterator[str]:
    from control_plane.postgres.migrate import migrate  # noqa: PLC0415 - only tests of the store need the store

    server = _address(servers, "postgres").url
    url = await create(server)
    await migrate(url)
    yield url
    await drop(server, url)


@pytest.fixture
async def migrated_url(servers: Session, _template: str) -> AsyncIterator[str]:
    """A fresh database that holds our schema."""
    server = _address(servers, "postgres").url
    url = await clone(server, _template)
    yield url
    await drop(server, url)


@pytest.fixture
async def other_url(servers: Session, _template: str) -> AsyncIterator[str]:
    """Another fresh database that holds our schema."""
    server = _address(servers, "postgres").url
    url = await clone(server, _template)
    yield url
    await drop(server, url)


@pytest.fixture
async def redis_url(servers: Session, worker_number: int) -> str:
    """An empty database number that no other worker uses."""
    url = f"{_address(servers, 'redis').url.rstrip('/')}/{worker_number % _REDIS_DATABASES}"
    async with redis.asyncio.from_url(url) as client:
        await client.flushdb()
    return url


@pytest.fixture
async def amqp_url(servers: Session) -> AsyncIterator[str]:
    """A fresh virtual host: real names of exchanges may be used."""
    async with fresh_vhost(_address(servers, "rabbitmq"), servers.root) as url:
        yield url


@pytest.fixture
async def own_postgres(servers: Session) -> AsyncIterator[Server]:
    """A PostgreSQL of the test's own, to stop, kill and start."""
    server = await obtain("postgres", servers.root)
    yield server
    await server.close()


@pytest.fixture
async def own_redis(servers: Session) -> AsyncIterator[Server]:
    """A Redis of the test's own, to stop, kill and start; it forgets everything when it ends."""
    server = await obtain("redis", servers.root)
    yield server
    await server.close()


@pytest.fixture(scope="session")
async def _rabbitmq_of_this_worker(servers: Session) -> AsyncIterator[Server]:
    server = await obtain("rabbitmq", servers.root)
    yield server
    await server.close()


@pytest.fixture
async def own_rabbitmq(_rabbitmq_of_this_worker: Server) -> Server:
    """A RabbitMQ that no other test uses now, running and without our exchange, to stop, kill and start."""
    await _rabbitmq_of_this_worker.start()
    await forget_exchange(_rabbitmq_of_this_worker.url)
    return _rabbitmq_of_this_worker


@pytest.fixture(scope="session")
def rabbitmq_program() -> Path:
    """The broker's program, for brokers that are set up in their own ways; installed where we may."""
    if rabbitmq.binary() is None and debian.can_install():
        debian.install("rabbitmq-server")
    found = rabbitmq.binary()
    if found is None:
        pytest.fail("this needs Debian's rabbitmq-server: install it, or run the tests as root on Debian or Ubuntu")
    return found


@pytest.fixture(scope="session")
async def prometheus(servers: Session) -> AsyncIterator[Server]:
    """A Prometheus of this worker's own. What it scrapes listens at its `management_url`, while a test provides it."""
    server = await obtain("prometheus", servers.root)
    yield server
    await server.close()
