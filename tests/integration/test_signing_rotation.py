"""A rotation of the keys that sign: agents know the next one before it signs, and need nobody when it does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from agent.ports import UntrustedError, UpstreamUnavailableError
from agent.sync.remarks import Remarks
from agent.sync.status import Status
from agent.trust.keyring import Keyring
from agent.trust.trust import Trust
from agent.upstream.endpoints import Endpoints
from agent.upstream.shown import Shown
from control_plane.domain.keys import KNOWN_AHEAD, TRUSTED_AFTER, Purpose
from control_plane.key_encryption.local import LocalKeyEncryption, new_key
from control_plane.services.keys.signatures import Signatures
from control_plane.services.keys.signing import SigningKeys
from shared.runtime.http import Listen, serving
from shared.wire.signature import HTTP_HEADER, About
from tests.fakes.clock import ManualClock
from tests.fakes.signing_keys import FakeSigningKeys
from tests.store import OLGA

BODY = b'{"type":"change"}'
NOWHERE = "http://127.0.0.1:1"


@dataclass
class Signer:
    """A control plane of which there is only what signs, and its list of keys."""

    clock: ManualClock = field(default_factory=ManualClock)
    asked: int = 0
    url: str = ""
    refusal: int = 0

    def __post_init__(self) -> None:
        self.keys = SigningKeys(FakeSigningKeys(), LocalKeyEncryption.parse(new_key()), self.clock, OLGA)
        self.signatures = Signatures(self.keys)

    async def answer(self, _request: web.Request) -> web.Response:
        self.asked += 1
        if self.refusal:
            return web.Response(status=self.refusal, headers={"Location": "/elsewhere"})
        body, signed = self.signatures.key_list()
        return web.Response(body=body, headers={HTTP_HEADER: signed})


@asynccontextmanager
async def signing() -> AsyncIterator[Signer]:
    signer = Signer()
    await signer.keys.load()
    app = web.Application()
    app.router.add_get("/api/v1/signing-keys", signer.answer)
    async with serving(app, Listen("127.0.0.1", 0), grace=1.0) as listen:
        signer.url = f"http://{listen}"
        yield signer


@asynccontextmanager
async def trusting(directory: Path, url: str) -> AsyncIterator[tuple[Trust, Status]]:
    async with aiohttp.ClientSession() as session:
        clock, status = ManualClock(), Status()
        endpoints = Endpoints([url], Shown("token"), session)
        yield Trust(Keyring(directory), endpoints, status, Remarks(clock, lambda: 0)), status


async def hear(trust: Trust, signer: Signer) -> None:
    await trust.verify(About.MESSAGE, "global", BODY, signer.signatures.message("global", BODY), "amqp")


async def test_a_key_is_known_before_it_signs_so_nobody_need_be_asked_when_it_does(tmp_path: Path) -> None:
    async with signing() as signer:
        async with trusting(tmp_path, signer.url) as (trust, _):
            await hear(trust, signer)
        first = signer.signatures.kid
        await signer.keys.rotate(Purpose.MESSAGES, OLGA)
        assert signer.signatures.kid == first
        async with trusting(tmp_path, signer.url) as (trust, _):
            await trust.look()
        signer.clock.advance(KNOWN_AHEAD.total_seconds())
        assert signer.signatures.kid != first
        async with trusting(tmp_path, NOWHERE) as (trust, status):
            await hear(trust, signer)
        assert (signer.asked, status.untrusted) == (2, 0)


async def test_a_key_that_is_over_is_forgotten(tmp_path: Path) -> None:
    async with signing() as signer:
        old = signer.signatures.message("global", BODY)
        async with trusting(tmp_path, signer.url) as (trust, _):
            await hear(trust, signer)
        await signer.keys.rotate(Purpose.MESSAGES, OLGA)
        signer.clock.advance((KNOWN_AHEAD + TRUSTED_AFTER).total_seconds() + 1)
        async with trusting(tmp_path, signer.url) as (trust, status):
            await trust.look()
            with pytest.raises(UntrustedError):
                await trust.verify(About.MESSAGE, "global", BODY, old, "amqp")
            await hear(trust, signer)
        assert status.untrusted == 1


async def test_an_agent_that_was_away_for_many_rotations_follows_them(tmp_path: Path) -> None:
    async with signing() as signer:
        async with trusting(tmp_path, signer.url) as (trust, _):
            await hear(trust, signer)
        for at_once in (False, True, False):
            await signer.keys.rotate(Purpose.MESSAGES, OLGA, at_once=at_once)
            signer.clock.advance((KNOWN_AHEAD + TRUSTED_AFTER).total_seconds() + 1)
        assert len(signer.keys.public(Purpose.MESSAGES)) == 1
        async with trusting(tmp_path, signer.url) as (trust, status):
            await hear(trust, signer)
        assert status.untrusted == 0


async def test_after_a_leak_what_the_old_key_signs_is_refused_at_once_by_whoever_looks(tmp_path: Path) -> None:
    async with signing() as signer:
        leaked = signer.signatures.message("global", BODY)
        async with trusting(tmp_path, signer.url) as (trust, _):
            await hear(trust, signer)
        await signer.keys.rotate(Purpose.MESSAGES, OLGA, at_once=True)
        async with trusting(tmp_path, signer.url) as (trust, status):
            await hear(trust, signer)
            with pytest.raises(UntrustedError):
                await trust.verify(About.MESSAGE, "global", BODY, leaked, "amqp")
        assert (signer.asked, status.untrusted) == (2, 1)


async def test_one_who_makes_up_keys_does_not_make_agents_ask_all_the_time(tmp_path: Path) -> None:
    async with signing() as signer, signing() as rogue, trusting(tmp_path, signer.url) as (trust, status):
        await hear(trust, signer)
        for _ in range(20):
            await rogue.keys.rotate(Purpose.MESSAGES, OLGA, at_once=True)
            with pytest.raises(UntrustedError):
                await hear(trust, rogue)
        await hear(trust, signer)
        assert (signer.asked, status.untrusted) == (1, 20)


@pytest.mark.parametrize("refusal", [302, 400, 401, 403, 410, 429, 500, 503])
async def test_who_sends_an_agent_away_does_not_make_it_believe_what_is_not_signed(
    refusal: int, tmp_path: Path
) -> None:
    async with signing() as signer, trusting(tmp_path, signer.url) as (trust, status):
        signer.refusal = refusal
        with pytest.raises(UpstreamUnavailableError):
            await trust.verify(About.MESSAGE, "global", BODY, None, "amqp")
        assert status.untrusted == 0
