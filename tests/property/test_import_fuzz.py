"""Whatever document is sent: the importer answers in its own words, and what is refused changes nothing."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control_plane.domain.limits import Limits
from tests.rig.api import Answer, Api, serving_api
from tests.rig.tally import Tally, add

_LIMITS = Limits(import_bytes=500_000, import_operations=200, value_bytes=20_000, value_depth=10)
_SETTINGS = settings(
    max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
_HEAD = b"trimtab: 1\ncreate_missing: true\non_conflict: overwrite\n"
_DEEP = 100_000

HOSTILE = {
    "a billion laughs": b"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\napps: *c\n",
    "an alias of itself": b"apps: &a {x: *a}\n",
    "a merge": b"global: {configs: {<<: {a: {value: 1}}}}\n",
    "a tag of Python": b"global: {configs: {a: {value: !!python/object/apply:os.system [id]}}}\n",
    "lists without end": b"global: {configs: {a: {value: " + b"[" * _DEEP,
    "mappings without end": b"apps: " + b"{a: " * _DEEP,
    "dashes without end": b"apps: " + b"- " * _DEEP,
    "closed lists": b"global: {configs: {a: {value: " + b"[" * _DEEP + b"]" * _DEEP + b"}}}",
    "question marks": b"? " * _DEEP,
    "a huge number": b"global: {configs: {a: {value: " + b"9" * _DEEP + b"}}}\n",
    "a number beyond floats": b"global: {configs: {a: {value: 1e99999}}}\n",
    "not a number": b"global: {configs: {a: {value: .nan}}}\n",
    "a NUL": b'global: {configs: {a: {value: "\\0"}}}\n',
    "a NUL in a key of a value": b'global: {configs: {a: {value: {"\\0": 1}}}}\n',
    "a NUL in a description": b'global: {configs: {a: {value: 1, description: "\\0"}}}\n',
    "a NUL in a label": b'global: {configs: {a: {value: 1, labels: {x: "\\0"}}}}\n',
    "a bare NUL": b"global: \0\n",
    "half a surrogate pair": b'global: {configs: {a: {value: "\\ud800"}}}\n',
    "no UTF-8": b"global: \xff\xfe\n",
    "UTF-16": "trimtab: 1".encode("utf-16"),
    "a bell": b"global: \x07\n",
    "a key twice": b"global: {configs: {a: {value: 1}, a: {value: 2}}}\n",
    "a number as key": b"global: {configs: {1: {value: 1}}}\n",
    "a path as application": b"apps: {../../etc: {configs: {}}}\n",
    "an odd application": "apps: {größe: {configs: {}}}\n".encode(),
    "an empty application": b'apps: {"": {configs: {}}}\n',
    "a key with a slash": b"global: {configs: {a/b: {value: 1}}}\n",
    "a long key": b"global: {configs: {" + b"a" * 300 + b": {value: 1}}}\n",
    "a long text": b'global: {configs: {a: {value: 1, description: "' + b"a" * 3_000 + b'"}}}\n',
    "a large value": b'global: {configs: {a: {value: "' + b"a" * 30_000 + b'"}}}\n',
    "a deep value": b"global: {configs: {a: {value: " + b"[" * 20 + b"]" * 20 + b"}}}\n",
    "too many": b"global: {configs: {" + b", ".join(b"k%d: {value: 1}" % each for each in range(201)) + b"}}\n",
    "too many bytes": b"# " + b"x" * 500_000,
    "a list of applications": b"apps: [a, b]\n",
    "configs as a text": b"global: {configs: x}\n",
    "a config as a number": b"global: {configs: {a: 1}}\n",
    "another format": b"trimtab: 2\n",
    "nobody's seal": b'global: {configs: {a: {sensitive: true, sealed: "v1:00000000:%%%"}}}\n',
    "a revision from the future": b"revision: -1\n",
    "no installation": b"installation: x\n",
    "two documents": b"---\nx: 1\n---\ny: 2\n",
    "a directive": b"%TAG ! tag:example.com,2000:\n---\nglobal: !x {}\n",
}


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url, _LIMITS) as api:
        await api.register()
        await api.post("/changes", {"operations": [{"op": "put", "key": "a", "value": "x", "sensitive": True}]})
        yield api


async def _state(api: Api) -> tuple[bytes, ...]:
    return tuple([(await api.get(path)).body for path in ("/export", "/changes", "/apps")])


async def _send(api: Api, body: bytes, media_type: str) -> Answer:
    """Import; whatever comes of it is no fault of the server, and a refusal leaves everything as it was."""
    before = await _state(api)
    answer = await api.call("POST", "/import", raw=body, headers={"Content-Type": media_type})
    assert answer.status < 500, answer.body
    if answer.status >= 400:
        assert await _state(api) == before
    return answer


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_document_is_refused_and_changes_nothing(api: Api, name: str) -> None:
    body = HOSTILE[name] if HOSTILE[name].startswith((b"trimtab", b"%", b"---")) else _HEAD + HOSTILE[name]
    answer = await _send(api, body, "application/yaml")
    assert answer.status in {400, 413, 422}, answer.body


def _count(counted: Tally, answer: Answer) -> None:
    add(counted, Counter([answer.status]))


_texts = st.text(max_size=12) | st.sampled_from(
    ["no", "\0", "../x", "a" * 300, "\ud800", "\u2028", "\U0001f680", "1e3", "<<"]
)
_scalars = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | _texts | st.sampled_from([10**400, -0.0])
)
_anything = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3), max_leaves=8
)
_configs = st.dictionaries(
    st.sampled_from(["a", "b", "on", "1e3", "a/b", ""]),
    st.fixed_dictionaries(
        {},
        optional={
            "value": _anything,
            "mask": st.booleans() | _scalars,
            "sensitive": st.booleans() | _scalars,
            "sealed": _texts,
            "description": _texts | _scalars,
            "owner": _texts,
            "labels": st.dictionaries(_texts, _texts, max_size=2),
        },
    )
    | _anything,
    max_size=3,
)
_scopes = st.fixed_dictionaries({}, optional={"configs": _configs, "description": _texts}) | _anything
_names = st.sampled_from(["shop", "prod", "on", "x", "A", ""])
_apps = st.dictionaries(
    _names,
    st.fixed_dictionaries({}, optional={"configs": _configs, "environments": st.dictionaries(_names, _scopes, max_size=2)})
    | _anything,
    max_size=2,
)  # fmt: skip
_documents = st.fixed_dictionaries(
    {"trimtab": st.just(1) | _scalars},
    optional={
        "global": _scopes,
        "apps": _apps,
        "prune": st.booleans(),
        "create_missing": st.booleans(),
        "on_conflict": st.sampled_from(["overwrite", "keep", "refuse", "x"]),
        "dry_run": st.booleans(),
        "revision": st.integers(-1, 2**70) | _scalars,
        "base_revision": st.integers(-1, 10),
        "message": _texts,
    },
)


def _json_bytes(document: Any) -> bytes:
    """JSON of anything, also of what our own encoder would refuse."""
    import json  # noqa: PLC0415, TID251 - it writes NaN, huge numbers and lone surrogates

    return json.dumps(document).encode()


@pytest.mark.timeout(180)
@_SETTINGS
@given(_documents | _anything, st.sampled_from(["application/yaml", "application/json"]))
async def test_no_document_breaks_the_importer(api: Api, counted: Tally, document: Any, media_type: str) -> None:
    _count(counted, await _send(api, _json_bytes(document), media_type))


@pytest.mark.timeout(180)
@_SETTINGS
@given(st.lists(st.sampled_from(
    [b"a", b": ", b"\n", b"  ", b"- ", b"[", b"]", b"{", b"}", b",", b"&a ", b"*a", b"!x ", b"|", b">", b"'", b'"', b"#",
     b"? ", b"---\n", b"...", b"<<: ", b"0o7", b"\t", b"\xc3\xa9", b"trimtab: 1\n", b"global:\n", b"configs:\n", b"\\", b"%"]
), max_size=40))  # fmt: skip
async def test_no_text_breaks_the_reader(api: Api, counted: Tally, words: list[bytes]) -> None:
    _count(counted, await _send(api, b"".join(words), "application/yaml"))
