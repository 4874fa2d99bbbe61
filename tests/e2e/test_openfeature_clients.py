"""The real clients of OpenFeature, as applications use them: Python's, JavaScript's on a server, JavaScript's in a browser."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio
import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagEvaluationDetails

from agent.snapshot.model import Snapshot
from shared.domain.codec import Json, canonical
from shared.domain.entry import Entry, Kind
from tests.fakes.snapshots import following
from tests.integration.test_local_api import TOKEN, Agent, agent
from tests.rig import node
from tests.rig.browser import Page, browsing, origin
from tests.rig.entries import FLAG, entry, exposure

T = TypeVar("T")

SPLIT = {
    "variants": {"a": "a", "b": "b"},
    "default": "a",
    "rules": [{"split": [{"variant": "a", "weight": 1}, {"variant": "b", "weight": 99_999}]}],
}
NUMBER = {"variants": {"low": 1, "high": 2.5}, "default": "low", "rules": FLAG["rules"][:0]}
ENTRIES = (
    entry("on", True),
    entry("text", "grüß dich"),
    entry("size", 3),
    entry("rate", 0.5),
    entry("limits", {"a": [1, 2]}),
    entry("hosts", ["a", "b"]),
    entry("nothing", None),
    entry("number", NUMBER, "flag"),
    entry("swedes", FLAG, "flag"),
    entry("split", SPLIT, "flag"),
    entry("off", FLAG | {"on": False}, "flag"),
    entry("odd", {"variants": 1}, "flag"),
    entry("rolling", "old", rollout=exposure((0, 99_999))),
    Entry("secret", Kind.VALUE, canonical("hunter2"), 1, 5, True),
)


def seeing(it: Agent, *entries: Entry) -> None:
    own = {each.key: each for each in entries}
    it.live(following(Snapshot.empty("billing", "prod"), it.store.current.revision + 1, own))


@asynccontextmanager
async def filled(token: str = TOKEN, origins: Sequence[str] = ()) -> AsyncIterator[Agent]:
    async with agent(local_token=token, cors_origins=origins) as it:
        seeing(it, *ENTRIES)
        yield it


SWEDE, ADA = {"country": "SE"}, {"targetingKey": "ada"}
# type, key, default, context; then what the client has to say: value, variant, reason, error code
READS: Sequence[tuple[str, str, Json, Json, Json]] = (
    ("boolean", "on", False, {}, (True, "value", "STATIC", None)),
    ("string", "text", "-", {}, ("grüß dich", "value", "STATIC", None)),
    ("integer", "size", 0, {}, (3, "value", "STATIC", None)),
    ("float", "rate", 0.0, {}, (0.5, "value", "STATIC", None)),
    ("float", "number", 0.0, {}, (1, "low", "STATIC", None)),
    ("object", "limits", {}, {}, ({"a": [1, 2]}, "value", "STATIC", None)),
    ("object", "hosts", [], {}, (["a", "b"], "value", "STATIC", None)),
    ("boolean", "swedes", True, {}, (False, "off", "DEFAULT", None)),
    ("boolean", "swedes", False, SWEDE, (True, "on", "TARGETING_MATCH", None)),
    ("boolean", "swedes", False, {"groups": ["beta"]}, (True, "on", "TARGETING_MATCH", None)),
    ("boolean", "swedes", False, {"age": 70, "user": {"plan": "pro"}}, (True, "on", "TARGETING_MATCH", None)),
    ("boolean", "off", True, SWEDE, (False, "off", "DISABLED", None)),
    ("string", "split", "-", ADA, ("b", "b", "SPLIT", None)),
    ("string", "rolling", "-", ADA, ("new", "candidate", "SPLIT", None)),
    ("string", "rolling", "-", {}, ("old", "baseline", "DEFAULT", None)),
    ("string", "split", "-", {}, ("-", None, "ERROR", "TARGETING_KEY_MISSING")),
    ("boolean", "none", True, {}, (True, None, "ERROR", "FLAG_NOT_FOUND")),
    ("boolean", "a/b?c d", True, {}, (True, None, "ERROR", "FLAG_NOT_FOUND")),
    ("boolean", "odd", True, {}, (True, None, "ERROR", "PARSE_ERROR")),
    ("boolean", "on", False, {"name": "x" * 2_000}, (False, None, "ERROR", "INVALID_CONTEXT")),
    ("string", "on", "-", {}, ("-", None, "ERROR", "TYPE_MISMATCH")),
    ("boolean", "text", True, {}, (True, None, "ERROR", "TYPE_MISMATCH")),
)


def in_thread(function: Callable[..., T], *arguments: object) -> Any:
    """The Python provider blocks; the agent that it asks runs on this loop."""
    return anyio.to_thread.run_sync(partial(function, *arguments))


@pytest.fixture
async def python() -> AsyncIterator[Callable[..., Any]]:
    """A client of Python's SDK over its OFREP provider."""

    def connect(url: str, headers: dict[str, str] | None = None) -> OpenFeatureClient:
        factory = None if headers is None else lambda: dict(headers)
        api.set_provider(OFREPProvider(base_url=url, headers_factory=factory))
        return api.get_client()

    yield connect
    api.shutdown()


def read(client: OpenFeatureClient, kind: str, key: str, otherwise: Json, context: Json) -> FlagEvaluationDetails[Any]:
    who = EvaluationContext(context.get("targetingKey"), {k: v for k, v in context.items() if k != "targetingKey"})
    details: FlagEvaluationDetails[Any] = getattr(client, f"get_{kind}_details")(key, otherwise, who)
    return details


async def test_python_reads_every_type_and_every_outcome(python: Callable[..., OpenFeatureClient]) -> None:
    async with filled() as it:
        client = python(it.url)
        for kind, key, otherwise, context, right in READS:
            found = await in_thread(read, client, kind, key, otherwise, context)
            said = (found.value, found.variant, found.reason, found.error_code)
            assert said == right, found
            assert type(found.value) is type(right[0]) or (kind == "float" and isinstance(found.value, float))


async def test_python_gets_its_own_default_for_null_and_reads_without_any_context(
    python: Callable[..., OpenFeatureClient],
) -> None:
    async with filled() as it:
        client = python(it.url)
        found = await in_thread(client.get_string_details, "nothing", "mine")
        assert (found.value, found.reason, found.error_code) == ("mine", "DEFAULT", None)
        assert await in_thread(client.get_boolean_value, "on", False) is True


@pytest.mark.parametrize("headers", [{"X-API-Key": TOKEN}, {"Authorization": f"Bearer {TOKEN}"}])
async def test_python_reads_sensitive_values_with_the_local_token(
    python: Callable[..., OpenFeatureClient], headers: dict[str, str]
) -> None:
    async with filled() as it:
        found = await in_thread(python(it.url).get_string_details, "secret", "-")
        assert (found.value, found.error_code) == ("-", "GENERAL")
        assert await in_thread(python(it.url, headers).get_string_value, "secret", "-") == "hunter2"


async def test_python_uses_its_default_until_there_is_a_snapshot_and_is_not_paused_after_that(
    python: Callable[..., OpenFeatureClient],
) -> None:
    async with agent() as it:
        client = python(it.url)
        assert await in_thread(client.get_boolean_value, "on", False) is False
        seeing(it, *ENTRIES)
        assert await in_thread(client.get_boolean_value, "on", False) is True


async def test_python_sees_a_change_with_its_next_read(python: Callable[..., OpenFeatureClient]) -> None:
    async with filled() as it:
        client = python(it.url)
        assert await in_thread(client.get_integer_value, "size", 0) == 3
        seeing(it, entry("size", 4))
        assert await in_thread(client.get_integer_value, "size", 0) == 4
        it.status.last_confirmed = None
        assert (await in_thread(client.get_integer_details, "size", 0)).reason == "STALE"


async def javascript(it: Agent, headers: dict[str, str], *reads: tuple[str, str, Json, Json]) -> list[Any]:
    """What the server SDK of JavaScript says."""
    asked = [
        {"type": "number" if kind in ("integer", "float") else kind, "key": key, "otherwise": other, "context": context}
        for kind, key, other, context in reads
    ]
    question = {"baseUrl": it.url, "headers": headers, "reads": asked}
    answers: list[Any] = await anyio.to_thread.run_sync(node.run, node.CLIENTS / "server.mjs", question)
    return answers


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("npm_packages")
async def test_javascript_on_a_server_reads_every_type_and_every_outcome() -> None:
    async with filled() as it:
        answers = await javascript(it, {}, *(each[:4] for each in READS))
        for (_, key, _, _, right), found in zip(READS, answers, strict=True):
            said = (found["value"], found.get("variant"), found["reason"], found.get("errorCode"))
            assert said == right, (key, found)
        [hidden, nothing] = await javascript(it, {}, ("string", "secret", "-", {}), ("string", "nothing", "mine", {}))
        assert (hidden["value"], hidden["errorCode"], nothing["value"]) == ("-", "GENERAL", "mine")
        [shown] = await javascript(it, {"X-API-Key": TOKEN}, ("string", "secret", "-", {}))
        assert shown["value"] == "hunter2"


def web_reads() -> list[Any]:
    """What a page reads: its context is one for all."""
    kinds = {"integer": "number", "float": "number"}
    return [{"type": kinds.get(kind, kind), "key": key, "otherwise": other} for kind, key, other, _, _ in READS]


async def values(shown: Page, *asked: tuple[str, str, Json]) -> list[Any]:
    found = await shown.do("read", reads=[{"type": kind, "key": key, "otherwise": o} for kind, key, o in asked])
    return [each["value"] for each in found]


def not_modified(metrics: bytes) -> float:
    """How many bulk answers were 304."""
    wanted = 'trimtab_agent_reads_total{face="ofrep_bulk",outcome="not_modified"}'
    return next(
        (float(line.rpartition(" ")[2]) for line in metrics.decode().splitlines() if line.startswith(wanted)), 0
    )


@asynccontextmanager
async def opened(chromium: Path, directory: Path) -> AsyncIterator[tuple[Page, Agent]]:
    """A page in a browser, and an agent that lets its origin read."""
    async with (
        origin() as shown,
        filled(origins=[shown.origin]) as it,
        browsing(chromium, shown, directory),
    ):
        assert await shown.told() == "loaded"
        yield shown, it


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("npm_packages")
async def test_javascript_in_a_browser_reads_hears_of_changes_and_changes_its_context(
    chromium: Path, tmp_path: Path
) -> None:
    async with opened(chromium, tmp_path) as (shown, it):
        await shown.do("start", context=ADA, options={"baseUrl": it.url, "cacheMode": "disabled"})
        found = {each["flagKey"]: each for each in await shown.do("read", reads=web_reads()[:12])}
        assert {key: each["value"] for key, each in found.items()} == {
            "on": True, "text": "grüß dich", "size": 3, "rate": 0.5, "number": 1, "limits": {"a": [1, 2]},
            "hosts": ["a", "b"], "swedes": False, "off": False,
        }  # fmt: skip
        assert (found["on"]["reason"], found["on"]["variant"]) == ("STATIC", "value")
        [split, odd, secret, none] = await shown.do(
            "read",
            reads=[{"type": "string", "key": key, "otherwise": "-"} for key in ("split", "odd", "secret", "none")],
        )
        assert (split["value"], split["reason"]) == ("b", "SPLIT")
        codes = [each["errorCode"] for each in (odd, secret, none)]
        assert codes == ["PARSE_ERROR", "GENERAL", "FLAG_NOT_FOUND"]

        await shown.do("forget")
        seeing(it, *ENTRIES, entry("fresh", 1), entry("size", 4))
        [change] = await shown.do("event", name="PROVIDER_CONFIGURATION_CHANGED")
        assert {"size", "fresh"} <= set(change["flags"])
        assert await values(shown, ("number", "size", 0), ("number", "fresh", 0)) == [4, 1]

        await shown.do("context", context=ADA | SWEDE)
        assert await values(shown, ("boolean", "swedes", False)) == [True], "the context alone has changed"
        await shown.do("context", context={})
        assert await values(shown, ("boolean", "swedes", True), ("string", "split", "-")) == [False, "-"]

        await shown.do("forget")
        seeing(it, *ENTRIES)
        await shown.do("event", name="PROVIDER_CONFIGURATION_CHANGED")
        assert await values(shown, ("number", "size", 0), ("number", "fresh", 0)) == [3, 0]
        await shown.do("stop")


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("npm_packages")
async def test_javascript_in_a_browser_polls_shows_the_token_and_is_kept_out_without_cors(
    chromium: Path, tmp_path: Path
) -> None:
    async with opened(chromium, tmp_path) as (shown, it):
        polling = {"changeDetection": "polling", "pollInterval": 50, "cacheMode": "disabled"}
        token = [["X-API-Key", TOKEN]]
        await shown.do("start", context=ADA, options={"baseUrl": it.url, "headers": token, **polling})
        assert await values(shown, ("string", "secret", "-"), ("number", "size", 0)) == ["hunter2", 3]
        with anyio.fail_after(20):
            while not not_modified((await it.get("/metrics"))[1]):
                await anyio.sleep(0.02)
        await shown.do("forget")
        seeing(it, entry("size", 4))
        await shown.do("event", name="PROVIDER_CONFIGURATION_CHANGED")
        assert await values(shown, ("number", "size", 0)) == [4]
        async with filled() as closed:
            with pytest.raises(AssertionError, match="OFREP request failed"):
                await shown.do("start", context=ADA, options={"baseUrl": closed.url, **polling})
