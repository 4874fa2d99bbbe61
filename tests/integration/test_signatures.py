"""What no key of the control plane's signed is neither believed nor kept from being seen: broker, cache, rotation."""

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aio_pika
import aiohttp
import anyio
import pytest
import redis.asyncio

from agent.ports import UntrustedError, UpstreamUnavailableError
from agent.sync.remarks import Remarks
from agent.sync.status import Status
from agent.trust.keyring import Keyring
from agent.trust.trust import Trust
from agent.upstream.endpoints import Endpoints
from agent.upstream.http import HttpSource, SseFeed
from agent.upstream.shown import Shown
from control_plane.domain.attribution import Attribution, Source
from control_plane.domain.keys import Purpose
from shared.domain.scope import Revisions
from shared.runtime.clock import SystemClock
from shared.wire.messages import ChangeMessage, Heartbeat, Message
from shared.wire.signature import HTTP_HEADER, About
from shared.wire.topology import CHANGES_EXCHANGE
from tests.rig.api import Api, serving_api
from tests.rig.installation import APP, ENVIRONMENT, Installation, Servers, installation
from tests.rig.process import Process

HERE = Attribution("test", "here", source=Source.SYSTEM)


async def refused(site: Installation, agent: Process) -> float:
    async with site.session.get(f"{agent.url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    return float(next(each for each in lines if each.startswith("trimtab_agent_untrusted_total")).split()[1])


async def until_refused(site: Installation, agent: Process, count: int) -> None:
    with anyio.fail_after(20):
        while await refused(site, agent) < count:
            await anyio.sleep(0.02)


async def test_a_rogue_publisher_is_not_believed_and_is_seen(postgres_url: str, amqp_url: str, tmp_path: Path) -> None:
    async with installation(tmp_path, Servers(postgres_url, amqp_url=amqp_url)) as site:
        control_plane = await site.control_plane()
        await site.register(control_plane)
        await site.put(control_plane, "limit", 1)
        agent = await site.agent("one", [control_plane])
        await site.until_value(agent, "limit", 1, within=20)
        await site.until_status(agent, within=20, transport="amqp", state="live")
        async with await aio_pika.connect(amqp_url) as connection:
            channel = await connection.channel()
            exchange = await channel.get_exchange(CHANGES_EXCHANGE)
            tap = await channel.declare_queue(exclusive=True)
            await tap.bind(exchange, f"env.{APP}.{ENVIRONMENT}")
            revision = await site.put(control_plane, "limit", 2)
            await site.until_value(agent, "limit", 2, within=20)
            real = await heard_change(tap)
            forged = real.body.replace(b'"value":2', b'"value":666').replace(
                b'"revision":%d' % revision, b'"revision":%d' % (revision + 1)
            )
            forged = forged.replace(b'"previous":1', b'"previous":%d' % revision)
            assert forged != real.body
            before = await refused(site, agent)
            unsigned = aio_pika.Message(forged, headers={"trimtab-schema": 1})
            signed_for_another = aio_pika.Message(forged, headers=real.headers)
            strange = aio_pika.Message(forged, headers=real.headers | {"trimtab-key": "made-up"})
            for message in (unsigned, signed_for_another, strange):
                await exchange.publish(message, f"env.{APP}.{ENVIRONMENT}")
            await exchange.publish(aio_pika.Message(real.body, headers=real.headers), "global")  # of another scope
            await exchange.publish(aio_pika.Message(real.body, headers=real.headers), real.routing_key or "")  # again
            await until_refused(site, agent, int(before) + 4)
        assert await site.value(agent, "limit") == 2
        status = await site.status(agent)
        (remark,) = [each for each in status["remarks"] if each["kind"] == "signature"]
        assert "666" not in str(remark)
        await site.put(control_plane, "limit", 3)
        await site.until_value(agent, "limit", 3, within=20)
        assert await refused(site, agent) == before + 4  # a good message that came twice is not one of them
        await site.post(control_plane, "/keys/rotate", {"what": "messages", "at_once": True})
        await site.put(control_plane, "limit", 4)
        await site.until_value(agent, "limit", 4, within=20)
        assert b"666" not in agent.log.read_bytes()


async def heard_change(tap: Any) -> Any:
    with anyio.fail_after(20):
        while True:
            message = await tap.get(no_ack=True, fail=False)
            if message is not None and b'"type":"change"' in message.body:
                return message
            await anyio.sleep(0.02)


async def test_a_cached_snapshot_that_no_replica_wrote_is_not_used(migrated_url: str, redis_url: str) -> None:
    async with serving_api(migrated_url, redis_url=redis_url) as api:
        token = await api.register()
        await api.post("/configs", {"app_id": "shop", "environment": "prod", "key": "limit", "value": 1})
        good = await api.get("/snapshots/shop/prod", token=token)
        async with redis.asyncio.from_url(redis_url) as client:
            (name,) = await client.keys("trimtab:snapshot:*")
            kept = await client.get(name)
            label, _, packed = kept.partition(b"\n")
            body = packed if packed.startswith(b"{") else gzip.decompress(packed)
            forged = body.replace(b'"value":1', b'"value":666')
            assert forged != body
            for tampered in (forged, label + b"\n" + forged, label[:-2] + b"AA\n" + body, b"\n", b"", label):
                await client.set(name, tampered)
                async with serving_api(migrated_url, redis_url=redis_url, warm_limit=0) as other:
                    answer = await other.get("/snapshots/shop/prod", token=token)
                    assert answer.body == good.body
                    found = other.services.metrics.registry.get_sample_value("trimtab_snapshot_cache_refused_total")
                    assert found == 1
            await client.set(name, kept)
            async with serving_api(migrated_url, redis_url=redis_url, warm_limit=0) as other:
                answer = await other.get("/snapshots/shop/prod", token=token)
                hits = other.services.metrics.registry.get_sample_value(
                    "trimtab_snapshot_cache_hits_total", {"layer": "shared"}
                )
                assert (answer.body, hits) == (good.body, 1)


@asynccontextmanager
async def trusting(api: Api, token: str, directory: Path) -> AsyncIterator[tuple[Trust, HttpSource, SseFeed, Status]]:
    async with aiohttp.ClientSession() as session:
        status, clock = Status(), SystemClock()
        trust = Trust(
            Keyring(directory), Endpoints([api.url], Shown(token), session), status, Remarks(clock, lambda: 0)
        )
        source = HttpSource(Endpoints([api.url], Shown(token), session), "shop", "prod", trust=trust)
        yield trust, source, SseFeed(Endpoints([api.url], Shown(token), session), "shop", "prod", trust=trust), status


async def test_nobody_is_believed_before_the_control_plane_could_be_asked_for_its_keys(
    migrated_url: str, tmp_path: Path
) -> None:
    """Else whoever keeps it away could publish whatever he likes to agents that are new."""
    async with serving_api(migrated_url) as api, aiohttp.ClientSession() as session:
        token, status, clock = Shown(await api.register()), Status(), SystemClock()

        def trust(url: str) -> Trust:
            return Trust(Keyring(tmp_path), Endpoints([url], token, session), status, Remarks(clock, lambda: 0))

        unsure = trust("http://127.0.0.1:1")
        for _ in range(2):  # also where it was asked a moment ago
            with pytest.raises(UpstreamUnavailableError, match="keys are not known yet"):
                await unsure.verify(About.MESSAGE, "global", b"{}", None, "amqp")
        feed = SseFeed(Endpoints([api.url], token, session), "shop", "prod", trust=unsure)
        heard: list[Message] = []
        async with feed.follow(Revisions()) as messages:
            with anyio.move_on_after(1):  # long enough for some heartbeats
                heard.extend([each async for each in messages])
        assert heard == []
        assert status.untrusted == 0
        await trust(f"{api.url}/older").verify(About.MESSAGE, "global", b"{}", None, "amqp")
        with pytest.raises(UntrustedError):
            await trust(api.url).verify(About.MESSAGE, "global", b"{}", None, "amqp")


async def test_a_rotation_is_followed_live_by_whoever_knew_the_key_before(migrated_url: str, tmp_path: Path) -> None:
    async with serving_api(migrated_url) as api:
        token = await api.register()
        async with trusting(api, token, tmp_path) as (_, source, feed, status):
            await source.fetch(None)
            first = api.services.signatures.kid
            await api.services.signing_keys.rotate(Purpose.MESSAGES, HERE, at_once=True)
            second = api.services.signatures.kid
            assert first != second
            answer = await api.get("/snapshots/shop/prod", token=token)
            assert answer.headers[HTTP_HEADER].startswith(f"{second}:")
    async with serving_api(migrated_url) as api, trusting(api, token, tmp_path) as (_, source, feed, status):
        async with feed.follow(Revisions()) as messages:
            assert isinstance(await anext(messages), Heartbeat)  # signed by a key that was never seen before
            await api.post("/configs", {"app_id": "shop", "environment": "prod", "key": "limit", "value": 1})
            with anyio.fail_after(10):
                assert isinstance(await change(messages), ChangeMessage)
        assert (await source.fetch(None)).revisions.latest == 1
        assert status.untrusted == 0


async def change(messages: AsyncIterator[Message]) -> Message:
    async for each in messages:
        if isinstance(each, ChangeMessage):
            return each
    raise AssertionError


async def test_another_installations_word_counts_nothing(migrated_url: str, other_url: str, tmp_path: Path) -> None:
    async with serving_api(migrated_url) as api, trusting(api, await api.register(), tmp_path) as (_, source, _, _):
        await source.fetch(None)
    async with (
        serving_api(other_url) as other,
        trusting(other, await other.register(), tmp_path) as (_, source, _, status),
    ):
        with pytest.raises(UntrustedError):
            await source.fetch(None)
        assert status.untrusted == 1
