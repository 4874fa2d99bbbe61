"""Whatever is sent, and by whom, the API answers in its own words, never with a 5xx, and an error changes nothing."""

from collections.abc import Awaitable, Callable
from copy import deepcopy
from typing import Any
from urllib.parse import quote

import anyio
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from control_plane.api.routes import ROUTES
from control_plane.domain.access.role import Role
from shared.domain.codec import encode
from tests.rig.api import Answer, Api, serving_api
from tests.rig.good_requests import FLAG, FORCE, GOOD, SEGMENT, known_names, stay_writable
from tests.rig.tally import Tally

_WRITING = [route for route in ROUTES if route.body is not None]
_NAMES = sorted({name for route in _WRITING for name in route.body.model_fields} | {"op", "scope", "\0", "a/b", ""})
_SETTINGS = settings(max_examples=300, phases=[Phase.generate], suppress_health_check=list(HealthCheck))

_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["shop", "prod", "put", "mask", "delete", "unmask", "a", "a.b", "\0", "x" * 300])
)
_json = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)


@st.composite
def _bodies(draw: st.DrawFn, valid: Any) -> Any:
    """A valid body with up to two of its parts replaced, removed or given a strange neighbour."""
    body = deepcopy(valid)
    for _ in range(draw(st.integers(0, 2))):
        here = body
        while isinstance(here, (dict, list)) and here:
            step = draw(st.sampled_from(list(here) if isinstance(here, dict) else range(len(here))))
            if not isinstance(here[step], (dict, list)) or draw(st.booleans()):
                _damage(draw, here, step)
                break
            here = here[step]
    return body


def _damage(draw: st.DrawFn, here: Any, step: Any) -> None:
    match draw(st.sampled_from(["replace", "replace", "remove", "add"])):
        case "replace":
            here[step] = draw(_json)
        case "remove":
            del here[step]
        case _ if isinstance(here, dict):
            here[draw(st.sampled_from(_NAMES))] = draw(_json)
        case _:
            here.append(draw(_json))


_ROLES = [*[Role.OPERATOR] * 8, *sorted(set(Role) - {Role.OPERATOR})]
"""Most requests are the operator's, who gets furthest."""


async def _tokens(api: Api) -> dict[Role, str]:
    """A token for each role."""
    agent = await api.register()
    keys = {role: await api.key(f"key-{role}", role) for role in set(_ROLES) - {Role.OPERATOR, Role.AGENT}}
    return {Role.OPERATOR: api.operator, Role.AGENT: agent, **keys}


@st.composite
def _requests(draw: st.DrawFn) -> tuple[Any, bytes, dict[str, str], dict[str, str], Role]:
    route = draw(st.sampled_from(_WRITING))
    body = draw(_mostly(_bodies(GOOD[route.name]), _json | _mangled))
    good = {
        "app": "shop",
        "environment": "prod",
        "id": "known",
        "change": "known",
        "name": "1",
        "version": "1",
        "template": "known",
        "role": "captain",
        "user": "anna",
    }
    names = {each: draw(_mostly(st.just(name), _segments)) for each, name in good.items()}
    raw = body if isinstance(body, bytes) else _json_bytes(body)
    return route, raw, draw(_headers), names, draw(_mostly(st.just(Role.OPERATOR), st.sampled_from(_ROLES)))


def _mostly(usual: st.SearchStrategy[Any], odd: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The usual in three of four draws: what is wrong in every part is refused by the first one that looks at it."""
    return st.integers(0, 3).flatmap(lambda draw: odd if draw == 0 else usual)


_mangled = st.binary(max_size=60)
_segments = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
_header_texts = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)
_headers = st.just({"If-Match": "*"}) | st.dictionaries(
    st.sampled_from(["If-Match", "Idempotency-Key", "If-None-Match", "X-Request-Id", "Accept-Encoding"]),
    _header_texts | st.sampled_from(["*", '"1"', "k"]),
    max_size=2,
)


def _json_bytes(body: Any) -> bytes:
    """JSON of anything, also of what our own encoder would refuse."""
    import json  # noqa: PLC0415, TID251 - it writes NaN, huge numbers and lone surrogates

    return json.dumps(body).encode()


async def _hypothesis(
    counted: Tally, strategy: st.SearchStrategy[Any], check: Callable[[Any], Awaitable[bool]]
) -> None:
    """Run examples from a worker thread, each on this event loop."""

    @_SETTINGS
    @given(strategy)
    def run(example: Any) -> None:
        counted[0] += 1
        counted[1] += anyio.from_thread.run(check, example)

    await anyio.to_thread.run_sync(run)


_STATE = (
    "/apps",
    "/configs?include_deleted=true",
    "/changes",
    "/changes?state=draft",
    "/changes?state=pending",
    "/api-keys",
    "/policies",
    "/schemas",
    "/rollout-templates",
    "/rollouts",
)


async def _state(api: Api) -> list[bytes]:
    return [(await api.get(path)).body for path in _STATE]


def _require_a_problem(answer: Answer) -> None:
    problem = answer.document
    assert problem["status"] == answer.status
    if answer.status in {413, 422}:
        assert problem["violations"], problem


@pytest.mark.timeout(180)
async def test_no_body_breaks_the_api_and_what_is_refused_changes_nothing(migrated_url: str, counted: Tally) -> None:
    async with serving_api(migrated_url) as api:
        tokens = await _tokens(api)
        await api.post("/configs", {"app_id": "shop", "key": "k", "value": 0})
        await api.post("/policies", GOOD["replace_policy"])
        await api.post("/schemas", GOOD["update_schema"])

        async def check(example: tuple[Any, bytes, dict[str, str], dict[str, str], Role]) -> bool:
            route, raw, headers, names, role = example
            there = await known_names(api, route)
            known = {name: there.get(name, each) if each == "known" else each for name, each in names.items()}
            before = await _state(api)
            path = "/" + route.path.format(**{name: quote(each, safe="") for name, each in known.items()})
            answer = await api.call(route.method, path, raw=raw, headers=headers, token=tokens[role])
            assert answer.status < 500
            if answer.status < 400:
                await stay_writable(api, path, answer)
            if answer.status >= 400:
                _require_a_problem(answer)
                assert await _state(api) == before
            return answer.status < 400

        await _hypothesis(counted, _requests(), check)
        assert counted[1] > 30, "the requests are too far from good ones to try much"


@pytest.mark.timeout(180)
async def test_what_was_written_is_read_as_it_was(migrated_url: str, counted: Tally) -> None:
    """Any value that is accepted comes back equal; one that is not leaves nothing behind."""
    async with serving_api(migrated_url) as api:
        await api.register()
        made = await api.post("/configs", {"app_id": "shop", "key": "k", "value": None})
        path = f"/configs/{made.document['id']}"

        async def check(value: Any) -> bool:
            answer = await api.put(
                path, None, raw=_json_bytes({"value": value, "force": FORCE}), headers={"If-Match": "*"}
            )
            if answer.status == 200:
                fetched = await api.post("/configs/fetch", {"app_id": "shop", "environment": "prod"})
                for read in ((await api.get(path)).document, fetched.document["configs"]["k"]):
                    assert encode(read["value"]) == encode(read["value"])
                    assert read["value"] == value
            else:
                assert answer.status in {400, 422}
            return answer.status == 200

        await _hypothesis(counted, _json, check)


_documents = st.sampled_from([("flag", FLAG), ("flag", FLAG), ("segment", SEGMENT)]).flatmap(
    lambda good: st.tuples(st.just(good[0]), _bodies(good[1]))
)


@pytest.mark.timeout(180)
async def test_a_flag_or_segment_is_kept_as_it_was_or_refused_where_it_is_wrong(
    migrated_url: str, counted: Tally
) -> None:
    async with serving_api(migrated_url) as api:
        await api.register()
        for key, content in (("a", {"value": 1}), ("g", {"segment": SEGMENT})):
            await api.post("/configs", {"app_id": "shop", "key": key, **content})
        statuses = set[int]()

        async def check(example: tuple[str, Any]) -> bool:
            kind, document = example
            place = {"op": "put", "app_id": "shop", "environment": "prod", "key": "f"}
            body = {"operations": [place | {kind: document}], "force": FORCE}
            answer = await api.post("/changes", None, raw=_json_bytes(body))
            statuses.add(answer.status)
            if answer.status == 201:
                (kept,) = (await api.get("/configs?environment=prod")).document["items"]
                assert kept[kind] == document
                assert (await api.post("/configs/fetch", {"app_id": "shop", "environment": "prod"})).status == 200
            elif answer.status == 422:
                assert all(each.startswith("/operations/0") for each in answer.pointers), answer.pointers
            else:
                assert answer.status == 400
            return answer.status == 201

        await _hypothesis(counted, _documents, check)
        assert {201, 422} <= statuses
