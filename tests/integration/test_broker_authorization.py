"""What an agent's own credential lets it do on a real broker, and what not."""

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import aio_pika
import aiohttp
import anyio
import pytest
import trustme
from aio_pika.abc import AbstractChannel
from aio_pika.connection import Connection, make_url
from aio_pika.exceptions import AMQPConnectionError, ProbableAuthenticationError
from aiormq.exceptions import ChannelAccessRefused
from yarl import URL

from control_plane.services.broker_credentials import BrokerCredentials
from shared.runtime.clock import SystemClock
from shared.wire.topology import CHANGES_EXCHANGE, agent_queue, binding_keys
from tests.rig.amqp import connected
from tests.rig.api import Api, serving_api
from tests.rig.installation import APP, ENVIRONMENT, Servers, installation
from tests.rig.tls import certificate, serving_with, terminating_tls
from tests.servers import rabbitmq
from tests.servers.server import Server, free_port

QUEUE = agent_queue("shop", "prod", "one") + ".a"
OTHERS = agent_queue("billing", "prod", "one") + ".a"
Act = Callable[[AbstractChannel], Awaitable[object]]


@dataclass(frozen=True)
class Broker:
    """A broker that trusts the keys of whoever listens at `port`, which it asks by TLS, at `tls_port`."""

    server: Server
    port: int
    tls_port: int
    asked_with: ssl.SSLContext

    def told_by_tls(self) -> AbstractAsyncContextManager[int]:
        """Let it ask for the keys, until the block ends."""
        return terminating_tls(self.port, self.asked_with, at=self.tls_port)

    @property
    def without_user(self) -> str:
        """Its URL as agents are given it."""
        return self.server.url.replace("guest:guest@", "")


@pytest.fixture(scope="module")
async def broker(rabbitmq_program: Path) -> AsyncIterator[Broker]:
    port, tls_port, authority = free_port(), free_port(), trustme.CA()
    # Not below pytest's directory: each run of pytest closes that to others, and the broker runs as somebody else.
    with TemporaryDirectory(prefix="trimtab-broker-") as root:
        Path(root).chmod(0o711)  # noqa: ASYNC240 - a moment
        server = await rabbitmq.local(
            rabbitmq_program,
            Path(root),
            managed=True,
            keys_url=f"https://localhost:{tls_port}/api/v1/broker-keys",
            keys_ca=authority.cert_pem.bytes(),
        )
        try:
            await server.start()
            yield Broker(server, port, tls_port, serving_with(certificate(authority)))
        finally:
            await server.close()


@pytest.fixture
async def api(broker: Broker, migrated_url: str) -> AsyncIterator[Api]:
    async with (
        serving_api(migrated_url, port=broker.port, amqp_url=broker.server.url) as api,
        broker.told_by_tls(),
        await aio_pika.connect(broker.server.url) as connection,
    ):
        channel = await connection.channel()
        await channel.declare_exchange(CHANGES_EXCHANGE, "topic", durable=True)
        others = await channel.declare_queue(OTHERS)
        await others.bind(CHANGES_EXCHANGE, "env.billing.prod")
        yield api
        await others.delete(if_unused=False, if_empty=False)


async def credential(api: Api, token: str, instance: str = "one") -> tuple[str, str]:
    path = "/apps/shop/environments/prod/broker-credentials"
    answer = await api.post(path, {"instance": instance}, token=token)
    assert answer.status == 200, answer.body
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.document["username"], answer.document["password"]


async def logged_in(broker: Broker, login: tuple[str, str]) -> Connection:
    return await connected(make_url(broker.without_user).with_user(login[0]).with_password(login[1]))


def binding(key: str, queue: str = QUEUE) -> Act:
    async def act(channel: AbstractChannel) -> None:
        await channel.declare_queue(QUEUE, exclusive=True, auto_delete=True)
        await (await channel.get_queue(queue, ensure=False)).bind(CHANGES_EXCHANGE, key)

    return act


async def publishing(channel: AbstractChannel) -> None:
    exchange = await channel.get_exchange(CHANGES_EXCHANGE, ensure=False)
    await exchange.publish(aio_pika.Message(b"{}"), "env.shop.prod")


async def publishing_past_the_exchange(channel: AbstractChannel) -> None:
    await channel.default_exchange.publish(aio_pika.Message(b"{}"), OTHERS)


async def consuming_from_others(channel: AbstractChannel) -> None:
    await (await channel.get_queue(OTHERS, ensure=False)).consume(print, no_ack=True)


async def getting_from_others(channel: AbstractChannel) -> None:
    await (await channel.get_queue(OTHERS, ensure=False)).get(no_ack=True)


async def purging_others(channel: AbstractChannel) -> None:
    await (await channel.get_queue(OTHERS, ensure=False)).purge()


FORBIDDEN: dict[str, Act] = {
    "bind to another application": binding("app.billing"),
    "bind to another app/environment": binding("env.billing.prod"),
    "bind to another environment of its application": binding("env.shop.test"),
    "bind to everything": binding("#"),
    "bind to every word": binding("*"),
    "bind to all environments": binding("env.shop.*"),
    "bind to whatever begins like its own": binding("env.shop.prod.#"),
    "bind to what the scopes' wildcards mean": binding("env.%2A"),
    "bind somebody else's queue": binding("env.shop.prod", OTHERS),
    "consume from somebody else's queue": consuming_from_others,
    "get from somebody else's queue": getting_from_others,
    "purge somebody else's queue": purging_others,
    "delete somebody else's queue": lambda channel: channel.queue_delete(OTHERS),
    "declare somebody else's queue": lambda channel: channel.declare_queue(
        agent_queue("billing", "prod", "two") + ".a"
    ),
    "declare a queue of any name": lambda channel: channel.declare_queue("mine"),
    "declare a queue that the broker names": lambda channel: channel.declare_queue(""),
    "publish a change": publishing,
    "publish straight into a queue": publishing_past_the_exchange,
    "delete the exchange": lambda channel: channel.exchange_delete(CHANGES_EXCHANGE),
    "declare the exchange": lambda channel: channel.declare_exchange(CHANGES_EXCHANGE, "topic", durable=True),
    "declare another exchange": lambda channel: channel.declare_exchange("trimtab.other", "topic"),
}


async def test_an_agents_own_credential_lets_it_listen_and_nothing_else(broker: Broker, api: Api) -> None:
    login = await credential(api, await api.register())
    async with await logged_in(broker, login) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(QUEUE, exclusive=True, auto_delete=True)
        for key in binding_keys("shop", "prod"):
            await queue.bind(CHANGES_EXCHANGE, key)
        async with await aio_pika.connect(broker.server.url) as relay:
            exchange = await (await relay.channel()).get_exchange(CHANGES_EXCHANGE)
            for key in (*binding_keys("shop", "prod"), "env.billing.prod"):
                await exchange.publish(aio_pika.Message(key.encode()), key)
        heard = [(await queue.get(no_ack=True, timeout=5)).body.decode() for _ in range(3)]
        assert heard == list(binding_keys("shop", "prod"))
        assert await queue.get(no_ack=True, fail=False) is None
        await queue.delete()
    wrong = {}
    for what, act in FORBIDDEN.items():
        async with await logged_in(broker, login) as connection:
            channel = await connection.channel(publisher_confirms=True)
            try:
                wrong[what] = await act(channel)
            except ChannelAccessRefused:
                continue
            except Exception as error:  # noqa: BLE001 - told below
                wrong[what] = error
    assert wrong == {}


async def test_what_is_no_credential_of_ours_lets_nobody_in(broker: Broker, api: Api) -> None:
    user, good = await credential(api, await api.register())
    head, body, signature = good.split(".")
    other = BrokerCredentials(api.services.signing_keys, "/", -5, SystemClock()).issue("shop", "prod", "one")
    assert other is not None
    unsigned = "eyJhbGciOiJub25lIn0"
    for password in (
        other.password,  # expired
        f"{head}.{body}.{signature[:-6]}AAAAAA",
        f"{unsigned}.{body}.",
        f"{head}.{body[:-4]}AAAA.{signature}",
        "guest",
        "",
    ):
        with pytest.raises((ProbableAuthenticationError, AMQPConnectionError)):
            await logged_in(broker, (user, password))


async def test_the_broker_follows_a_rotation_by_itself_and_forgets_a_key_that_leaked(broker: Broker, api: Api) -> None:
    token = await api.register()
    leaked = await credential(api, token)
    await (await logged_in(broker, leaked)).close()
    assert (await api.post("/keys/rotate", {"what": "broker", "at_once": True})).status == 200
    await (await logged_in(broker, await credential(api, token))).close()
    with pytest.raises((ProbableAuthenticationError, AMQPConnectionError)):
        await logged_in(broker, leaked)


async def test_a_credential_that_ran_out_is_of_no_more_use_and_whoever_is_thrown_out_does_not_come_back(
    broker: Broker, api: Api
) -> None:
    await api.register()
    made = BrokerCredentials(api.services.signing_keys, "/", 3, SystemClock()).issue("shop", "prod", "one")
    assert made is not None
    login = made.username, made.password
    async with await logged_in(broker, login) as connection:
        closed = anyio.Event()
        connection.close_callbacks.add(lambda *_: closed.set())
        with pytest.raises(ChannelAccessRefused):
            await declaring(connection)
        operator = {"Authorization": aiohttp.encode_basic_auth("guest", "guest")}
        url = f"{broker.server.management_url}/api/connections/username/{quote(made.username, safe='')}"
        with anyio.fail_after(20):
            while not closed.is_set():  # its listing lags behind by some seconds
                async with api.session.delete(URL(url, encoded=True), headers=operator) as answer:
                    assert answer.status == 204, await answer.text()
                with anyio.move_on_after(0.2):
                    await closed.wait()
    with pytest.raises((ProbableAuthenticationError, AMQPConnectionError)):
        await logged_in(broker, login)


async def declaring(connection: Connection) -> None:
    """Again and again, on channels of their own: one remembers for a while what it may do."""
    with anyio.fail_after(20):
        while True:
            channel = await connection.channel()
            await channel.declare_queue(QUEUE, exclusive=True, auto_delete=True)
            await channel.close()
            await anyio.sleep(0.1)


async def test_the_management_api_takes_no_agents_credential(broker: Broker, api: Api) -> None:
    login = await credential(api, await api.register())
    for header in (aiohttp.encode_basic_auth(*login), f"Bearer {login[1]}"):
        for path in ("overview", "queues", "connections", "definitions"):
            url = f"{broker.server.management_url}/api/{path}"
            async with api.session.get(url, headers={"Authorization": header}) as answer:
                assert answer.status == 401


async def test_only_agents_of_an_environment_get_its_credential(api: Api) -> None:
    token = await api.register()
    await api.register("billing")
    path = "/apps/billing/environments/prod/broker-credentials"
    assert (await api.post(path, {"instance": "one"}, token=token)).status == 403
    assert (await api.post(path, {"instance": "one"}, token=None)).status == 401


async def test_an_agent_follows_the_broker_with_a_credential_that_it_renews(
    broker: Broker, postgres_url: str, tmp_path: Path
) -> None:
    async with installation(tmp_path, Servers(postgres_url, amqp_url=broker.server.url)) as site, broker.told_by_tls():
        control_plane = await site.control_plane(port=broker.port, TRIMTAB_BROKER_CREDENTIAL_LIFETIME="30")
        await site.register(control_plane)
        agent = await site.agent(
            "one", [control_plane], TRIMTAB_AMQP_URL=broker.without_user, TRIMTAB_AGENT_INSTANCE="one"
        )
        await site.put(control_plane, "greeting", "hello")
        await site.until_value(agent, "greeting", "hello", within=20)
        await site.until_status(agent, within=20, transport="amqp")
        async with site.session.get(
            f"{broker.server.management_url}/api/connections",
            headers={"Authorization": aiohttp.encode_basic_auth("guest", "guest")},
        ) as answer:
            users = {each["user"] for each in await answer.json()}
        assert users <= {"guest", f"agent/{APP}/{ENVIRONMENT}/one"}
