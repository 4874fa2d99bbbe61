"""The local API answers as its OpenAPI document says, whatever is sent."""

from collections.abc import Iterator
from typing import Any

import anyio
import pytest
import requests
import schemathesis
from aiohttp import web
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from agent.local_api.description import DOCUMENT
from shared.domain.codec import Json, decode
from shared.domain.entry import Entry
from tests.integration.test_local_api import agent
from tests.integration.test_local_api_evaluating import entry, exposure, seeing

STREAMS = {"/v1/watch", "/ofrep/v1/sse"}
"""Answers without an end; they have tests of their own."""
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
FLAG = {
    "variants": {"on": 1, "off": 0.5},
    "default": "off",
    "rules": [{"split": [{"variant": "on", "weight": 50_000}, {"variant": "off", "weight": 50_000}]}],
}
KEYS = ["a", "f", "r", "s", "secret", "none"]
_SETTINGS = settings(
    max_examples=20,
    derandomize=True,
    phases=[Phase.generate],
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)


def document() -> Json:
    return decode(DOCUMENT.read_bytes())


def _operations() -> Iterator[Any]:
    schema = schemathesis.openapi.from_dict(document())
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path not in STREAMS:
            yield pytest.param(operation, id=f"{operation.method.upper()} {operation.path}")


async def test_the_document_has_the_routes_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    served: set[tuple[str, str]] = set()
    add = web.Application.add_routes

    def note(self: web.Application, routes: Any) -> Any:
        served.update((each.method, each.path.replace(":[\\s\\S]+", "")) for each in routes)
        return add(self, routes)

    monkeypatch.setattr(web.Application, "add_routes", note)
    async with agent():
        pass
    assert {(method.upper(), path) for path, item in document()["paths"].items() for method in item} == served


async def test_the_agent_hands_the_document_out() -> None:
    async with agent() as it:
        assert (await it.get("/v1/openapi.json"))[:2] == (200, document())


@pytest.mark.parametrize("operation", list(_operations()))
async def test_answers_are_what_the_document_says(operation: Any) -> None:
    async with agent() as it:
        seeing(
            it,
            entry("a", {"b": [1, None]}),
            entry("f", FLAG, "flag"),
            entry("r", "old", rollout=exposure((0, 50_000))),
            entry("s", {"when": {"attribute": "x", "op": "exists", "values": [True]}}, "segment"),
            Entry("secret", "value", b'"hidden"', 1, 1, sensitive=True),
        )
        await anyio.to_thread.run_sync(_ask, operation, it.url)


def _ask(operation: Any, url: str) -> None:
    """Right requests and wrong ones, of keys that there are and of others."""
    keys = iter(KEYS * 1_000)
    with requests.Session() as session:
        wrong = [GenerationMode.NEGATIVE] if operation.query or operation.body or operation.headers else []
        for mode in (GenerationMode.POSITIVE, *wrong):

            @_SETTINGS
            @given(operation.as_strategy(generation_mode=mode))
            def check(case: Any) -> None:
                known = next(keys)
                if known != "none":
                    named = {"key": known, "app": "billing", "environment": "prod", "profile": known}
                    case.path_parameters.update({name: named[name] for name in case.path_parameters})
                if isinstance(case.query.get("wait"), str) and case.query["wait"].isdigit():
                    case.query["wait"] += "ms"  # there is nothing to wait for
                case.call_and_validate(base_url=url, session=session, timeout=10, checks=CHECKS)

            try:
                check()
            except BaseExceptionGroup as failures:  # it would not end this test alone, but whatever runs it
                raise AssertionError(str(failures.exceptions[0])) from failures
