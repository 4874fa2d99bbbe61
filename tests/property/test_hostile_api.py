"""The hostile corpus in every text of every route of the control plane: never a 5xx, and what is refused changes nothing.

A turn of the corpus by default; `TRIMTAB_TEST_FUZZ=all` puts every text into every place.
"""

import os
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any
from urllib.parse import quote

import pytest

from control_plane.api.routes import ROUTES
from tests.rig import hostile
from tests.rig.api import Api, serving_api
from tests.rig.good_requests import GOOD, known_names, stay_writable
from tests.rig.tally import Tally, add

ALL = os.environ.get("TRIMTAB_TEST_FUZZ") == "all"
TURN = 2
"""Texts of the corpus that each place gets by default; the next place gets the next ones."""
_LONGEST_QUERY = 6_000
_TOGETHER = 25
"""Refused requests after which it is looked whether all is as it was."""
_STATE = (
    "/apps",
    "/configs?include_deleted=true",
    "/changes",
    "/policies",
    "/schemas",
    "/rollout-templates",
    "/rollouts",
)
_ROUTES = [each for each in ROUTES if not each.streams]

pytestmark = pytest.mark.timeout(3_600 if ALL else 120)


def taken(corpus: "cycle[str]", size: int) -> list[str]:
    """What the next place gets."""
    return list(islice(corpus, size if ALL else TURN))


def places(document: Any, pointer: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where texts stand in a body, names of members among them."""
    if isinstance(document, dict):
        for name, each in document.items():
            yield from places(each, (*pointer, name))
    elif isinstance(document, list):
        for index, each in enumerate(document):
            yield from places(each, (*pointer, index))
    elif isinstance(document, str):
        yield pointer


def with_text(document: Any, pointer: tuple[Any, ...], text: str) -> Any:
    """The body with another text in one place."""
    changed = here = deepcopy(document)
    for step in pointer[:-1]:
        here = here[step]
    here[pointer[-1]] = text
    return changed


@dataclass
class Trial:
    """Sends requests, and sees to it that those that are refused leave no trace."""

    api: Api
    statuses: Counter[int] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    before: list[bytes] = field(default_factory=list)

    async def send(self, method: str, path: str, **more: Any) -> None:
        answer = await self.api.call(method, path, **more)
        self.statuses[answer.status] += 1
        assert answer.status < 500, (method, path, str(more)[:300], answer.body[:500])
        if answer.status < 400:
            await stay_writable(self.api, path, answer)
            await self.look_anew()
            return
        self.refused.append(f"{answer.status} {method} {path} {str(more)[:200]}")
        if len(self.refused) >= _TOGETHER:
            await self.settle()

    async def settle(self) -> None:
        """Nothing of what was refused since the last look changed anything."""
        assert await self._state() == self.before, self.refused
        self.refused.clear()

    async def look_anew(self) -> None:
        """Something was changed, as it may be: from now on this is how things are."""
        self.refused.clear()
        self.before = await self._state()

    async def _state(self) -> list[bytes]:
        return [(await self.api.get(path)).body for path in _STATE]


async def trial(api: Api) -> Trial:
    await api.register()
    await api.post("/configs", {"app_id": "shop", "key": "k", "value": 0})
    await api.post("/policies", GOOD["replace_policy"])
    await api.post("/schemas", GOOD["update_schema"])
    it = Trial(api)
    await it.look_anew()
    return it


async def path_of(it: Trial, route: Any, **names: str) -> str:
    """A path of a route; what is not named is something that there is."""
    known = {"app": "shop", "environment": "prod", "name": "1", "version": "1", "template": "known"}
    if "{id}" in route.path or "{change}" in route.path:
        known |= await known_names(it.api, route)
        await it.look_anew()
    known |= names
    wanted = [each.partition("}")[0] for each in route.path.split("{")[1:]]
    return "/" + route.path.format(**{each: quote(known.get(each, "known"), safe="") for each in wanted})


async def test_every_text_of_every_body_gets_the_corpus(migrated_url: str, counted: Tally) -> None:
    corpus = hostile.texts()
    texts = cycle(corpus.values())
    async with serving_api(migrated_url) as api:
        it = await trial(api)
        for route in (each for each in _ROUTES if each.body is not None and each.name in GOOD):
            path = await path_of(it, route)
            for place in places(GOOD[route.name]):
                for text in taken(texts, len(corpus)):
                    body = with_text(GOOD[route.name], place, text)
                    await it.send(route.method, path, body=body, headers={"If-Match": "*"})
        await it.settle()
        add(counted, it.statuses)


async def test_every_name_in_every_path_and_query_gets_the_corpus(migrated_url: str, counted: Tally) -> None:
    corpus = {name: text for name, text in hostile.texts().items() if text not in {"", ".", ".."}}
    texts = cycle(corpus.values())
    async with serving_api(migrated_url) as api:
        it = await trial(api)
        for route in _ROUTES:
            for name in [each.partition("}")[0] for each in route.path.split("{")[1:]]:
                for text in taken(texts, len(corpus)):
                    path = await path_of(it, route, **{name: text[:_LONGEST_QUERY]})
                    await it.send(route.method, path, body=GOOD.get(route.name))
            for name in route.query.model_fields if route.query is not None else ():
                path = await path_of(it, route)
                for text in taken(texts, len(corpus)):
                    asked = quote(text, safe="")[:_LONGEST_QUERY].rpartition("%")[0] or quote(text, safe="")
                    await it.send(route.method, f"{path}?{name}={asked[:_LONGEST_QUERY]}", body=GOOD.get(route.name))
        await it.settle()
        add(counted, it.statuses)


async def test_every_route_that_takes_a_body_gets_every_kind_of_bytes(migrated_url: str, counted: Tally) -> None:
    bodies = hostile.bodies()
    names = cycle(bodies)
    async with serving_api(migrated_url) as api:
        it = await trial(api)
        for route in (each for each in _ROUTES if each.body is not None):
            path = await path_of(it, route)
            for name in list(islice(names, len(bodies) if ALL else 4)):
                await it.send(route.method, path, raw=bodies[name], headers={"If-Match": "*"})
        for route in (each for each in _ROUTES if each.document):
            path = await path_of(it, route)
            for text in hostile.yaml().values():
                sent = {"Content-Type": "application/yaml"}
                await it.send(route.method, path, raw=text.encode(), headers=sent)
        await it.settle()
        assert it.statuses[400] > 20
        add(counted, it.statuses)
