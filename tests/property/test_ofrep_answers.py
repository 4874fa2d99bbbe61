"""Whatever a client sends, it gets an answer of the protocol; and a 304 only for the answer that it has."""

from typing import Any

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.codec import Json, decode, encode
from tests.integration.test_local_api import Agent, agent
from tests.rig.entries import FLAG, entry, exposure, seeing
from tests.rig.ofrep import Reader

SPLIT = {
    "variants": {"a": 1, "b": 0.5},
    "default": "a",
    "rules": [{"split": [{"variant": "a", "weight": 50_000}, {"variant": "b", "weight": 50_000}]}],
}
ENTRIES = (
    entry("f", FLAG, "flag"),
    entry("s", SPLIT, "flag"),
    entry("odd", {"variants": 1}, "flag"),
    entry("none", None),
    entry("v", {"a": [1.5, "ü"]}),
    entry("k", "old", rollout=exposure((0, 50_000))),
    entry("people", {"when": {"attribute": "a", "op": "exists"}}, "segment"),
)

scalars = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=20)
anything = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)
names = st.sampled_from(["targetingKey", "groups", "country", "age", "flags", "agent.instance", ""]) | st.text()
members = st.sampled_from(["SE", "beta", ["beta"], 70, "ada", ["f", "v"]]) | anything
bodies = st.one_of(
    st.dictionaries(names, members).map(lambda context: encode({"context": context})),
    anything.map(encode),
    anything.map(lambda context: encode({"context": context})),
    st.binary(max_size=40),
)
contexts = st.fixed_dictionaries(
    {},
    optional={
        "targetingKey": st.sampled_from(["ada", "bob", "eve"]),
        "country": st.sampled_from(["SE", "NO"]),
        "groups": st.sampled_from(["beta", ["beta"], ["alpha", "beta"]]),
        "age": st.sampled_from([64, 65, 65.0]),
    },
)


def asking(test: Any) -> None:
    """Run something with an agent, inside an example."""

    async def run() -> None:
        async with agent() as it:
            seeing(it, *ENTRIES)
            await test(it, Reader(it.session, it.url))

    anyio.run(run)


@settings(max_examples=25)
@given(st.lists(st.tuples(bodies, st.sampled_from(["", "/f", "/s", "/v", "/k", "/odd", "/none", "/people", "/x%2Fy"]))))
def test_every_answer_is_one_of_the_protocol(asked: list[tuple[bytes, str]]) -> None:
    async def ask(_: Agent, reader: Reader) -> None:
        for body, at in asked:
            told = await reader.send(at, body)  # the reader holds each answer against the schemas
            assert told.status in (200, 400, 404)
            assert told.status != 404 or at in ("/people", "/x%2Fy")

    asking(ask)


@settings(max_examples=25)
@given(st.lists(contexts, min_size=2, max_size=8))
def test_a_304_is_for_who_has_this_answer_and_one_bulk_says_what_its_flags_say(asked: list[Json]) -> None:
    async def ask(_: Agent, reader: Reader) -> None:
        seen: dict[str, tuple[bytes, str]] = {}
        for context in asked:
            told = await reader.bulk(context)
            who, text = encode(sorted(_known(context).items())), told.text
            assert seen.setdefault(told.etag, (who, text)) == (who, text)
            for etag, (other, _) in seen.items():
                again = await reader.bulk(context, If_None_Match=etag)
                assert again.status == (304 if other == who else 200)
            for item in decode(text)["flags"]:
                assert (await reader.single(item["key"], context)).document == item

    asking(ask)


def _known(context: Json) -> dict[str, Json]:
    """A context as evaluation sees it: one group may be given without a list, and 65 is not written as 65.0."""
    groups = context.get("groups")
    return context | ({"groups": [groups]} if isinstance(groups, str) else {})
