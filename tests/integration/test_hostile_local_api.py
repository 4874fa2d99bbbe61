"""The hostile corpus at the agent's local API: in keys, queries, headers, contexts and bodies. Never a 5xx, nothing changed."""

from urllib.parse import quote

import aiohttp
from yarl import URL

from shared.domain.codec import decode, encode
from tests.fakes.snapshots import snapshot_of
from tests.integration.test_local_api import TOKEN, Agent, agent
from tests.rig import hostile
from tests.rig.tally import Tally

VALUES = {"plain": 1, "db.pool": 20}
_LONGEST = 2_000
_BODIES = (
    "/v1/evaluate",
    "/v1/explain/plain",
    "/v1/outcomes",
    "/ofrep/v1/evaluate/flags",
    "/ofrep/v1/evaluate/flags/plain",
)


async def ask(it: Agent, method: str, path: str, body: bytes | None = None, **headers: str) -> int:
    """Ask with a path exactly as it is; an answer that is an error is a problem, or one of OpenFeature's."""
    if body is not None:
        headers = {"Content-Type": "application/json", **headers}
    url = URL(it.url + path, encoded=True)
    async with it.session.request(method, url, data=body, headers=headers) as answer:
        said = await answer.read()
        assert answer.status < 500, (method, path[:200], said[:300])
        if answer.status >= 400 and not path.startswith("/applications"):  # AppConfig's clients are told in words
            assert "json" in answer.headers["Content-Type"], (path[:200], said[:300])
            decode(said)
        return answer.status


async def test_no_text_of_the_corpus_is_more_than_a_bad_request(counted: Tally) -> None:
    async with agent(local_token=TOKEN) as it:
        it.live(snapshot_of(3, VALUES))
        before = (await it.get("/v1/configs"))[1]
        for text in hostile.texts().values():
            quoted = quote(text[:_LONGEST], safe="")
            for path in (
                f"/v1/values/{quoted}",
                f"/v1/configs/{quoted}",
                f"/v1/configs?prefix={quoted}",
                f"/v1/values/plain?{quoted}={quoted}",
                f"/v1/values/plain?targetingKey={quoted}&groups={quoted}&country={quoted}",
                f"/v1/explain/{quoted}",
                f"/v1/configs?wait={quoted}",
                f"/applications/{quoted}/environments/prod/configurations/plain",
                f"/applications/billing/environments/prod/configurations/{quoted}?flag={quoted}",
                f"/{quoted}",
            ):
                counted[0] += 1
                counted[1] += await ask(it, "GET", path) < 400
            context = {"targetingKey": text, "groups": [text], text or "a": text, "agent.instance": text}
            for path in _BODIES:
                for body in ({"context": context}, {"keys": [text]}, {text: text}, {"key": text, "success": 1}):
                    counted[0] += 1
                    counted[1] += await ask(it, "POST", path, encode(body)) < 400
            await ask(it, "POST", f"/ofrep/v1/evaluate/flags/{quoted}", b"{}")
            if text.isprintable() and text.isascii():
                for name in (
                    "If-None-Match",
                    "Accept",
                    "Accept-Encoding",
                    "Authorization",
                    "X-API-Key",
                    "Last-Event-ID",
                ):
                    await ask(it, "GET", "/v1/configs", **{name: text[:_LONGEST]})
                    counted[0] += 1
        assert (await it.get("/v1/configs"))[1] == before
    assert counted[0] > 2_000


async def test_no_bytes_of_the_corpus_are_more_than_a_bad_request() -> None:
    async with agent(local_token=TOKEN) as it:
        it.live(snapshot_of(3, VALUES))
        for path in _BODIES:
            for body in hostile.bodies().values():
                try:
                    assert await ask(it, "POST", path, body) < 500
                except aiohttp.ClientError:  # too long: it is answered while it is sent, and the connection ends
                    assert len(body) > 60_000
        assert (await it.get("/v1/values/plain"))[1] == 1
