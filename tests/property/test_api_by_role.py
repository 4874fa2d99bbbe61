"""Requests made from the OpenAPI document, right ones and wrong ones, sent as everybody: anybody, and each built-in role.

Whatever is sent, the answer is as the document says and never a 5xx, and what is accepted the caller may do. What each
may do is looked up in the tables of roles and routes, not asked of the code that decides.
`TRIMTAB_TEST_FUZZ=all` tries some tens of thousands.
"""

import os
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any
from urllib.parse import urlencode
from zlib import crc32

import anyio
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import positive_data_acceptance

from control_plane.api.route import Route
from control_plane.api.routes import ROUTES
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.role import PERMISSIONS, Role
from tests.rig.api import DOCUMENT, Api, serving_api
from tests.rig.tally import Tally, add
from tests.rig.two_apps import OURS, THEIRS, Things, fill

ALL = os.environ.get("TRIMTAB_TEST_FUZZ") == "all"
EXAMPLES = 40 if ALL else 2
"""Requests of each operation and role, if that may do it; half as many if not."""
_BEYOND_SCHEMA = [positive_data_acceptance]
"""A schema cannot say which cursor there is, or that an environment needs its application."""
_LONGEST_QUERY = 7_000
"""Longer ones are answered 431 whatever the operation, before anybody knows which one it is."""
_OF_CONNECTIONS = {"host", "content-length", "transfer-encoding", "connection", "expect", "upgrade"}
"""Headers that are about no operation: what is wrong with them is answered before one is known."""
_STATE = (
    "/apps",
    "/configs?include_deleted=true",
    "/changes",
    "/policies",
    "/schemas",
    "/rollouts",
    "/rollout-templates",
    "/named-snapshots",
    "/roles",
    "/role-bindings",
    "/users",
)
_WRITERS = {Role.EDITOR, Role.APPROVER, Role.PUBLISHER, Role.ADMIN, Role.OPERATOR}
_ROUTES = {route.name: route for route in ROUTES}
_TRIED = settings(phases=[Phase.generate], suppress_health_check=list(HealthCheck))

pytestmark = pytest.mark.timeout(3_600 if ALL else 180)


@cache
def _operations() -> dict[str, Any]:
    """Every operation of the document by its id, streams that do not end left out."""
    schema = schemathesis.openapi.from_dict(DOCUMENT).exclude(operation_id="watch_snapshot")
    found: list[Any] = [each.ok() for each in schema.get_all_operations()]  # type: ignore[union-attr]  # or it raises
    return {each.definition.raw["operationId"]: each for each in found}


@dataclass
class Run:
    """The requests of one caller."""

    api: Api
    role: Role | None
    token: str | None
    there: tuple[Things, Things]
    session: requests.Session
    statuses: Counter[int] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)

    def try_all(self) -> None:
        for name, operation in _operations().items():
            self._try(_ROUTES[name], operation)

    def _try(self, route: Route[Any, Any], operation: Any) -> None:
        wrong = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
        examples = EXAMPLES if self._may(route, {}) else EXAMPLES // 2

        @seed(crc32(f"{self.role} {route.name}".encode()))
        @settings(_TRIED, max_examples=examples)
        @given(operation.as_strategy().map(lambda case: self._about_something(case, route)) | wrong)
        def check(case: Any) -> None:
            if len(urlencode(case.query or {}, doseq=True)) < _LONGEST_QUERY:
                self._send(route, case)

        check()

    def _about_something(self, case: Any, route: Route[Any, Any]) -> Any:
        """Mostly about what there is: what there is not is refused whoever asks."""
        chosen = Random(str(case.path_parameters)).choice([*self.there, *self.there, None])  # noqa: S311 - no secret
        if chosen is not None and case.path_parameters:
            names = chosen.names(route.path)
            case.path_parameters = {name: names[name] for name in case.path_parameters}
        return case

    def _send(self, route: Route[Any, Any], case: Any) -> None:
        for name in [each for each in case.headers or {} if each.lower() in _OF_CONNECTIONS]:
            del case.headers[name]
        answer = self._valid(case, {"Authorization": f"Bearer {self.token}"} if self.token else {})
        self.statuses[answer.status_code] += 1
        assert answer.status_code < 500, (route.name, answer.text)
        if answer.status_code < 400:
            self.accepted[route.name] += 1
            assert self._may(route, case.path_parameters), (self.role, route.name, case.as_curl_command())

    def _valid(self, case: Any, headers: dict[str, str]) -> Any:
        try:
            return case.call_and_validate(
                base_url=self.api.url, session=self.session, headers=headers, excluded_checks=_BEYOND_SCHEMA
            )
        except FailureGroup as failures:  # no Exception, so it would end the loop of all tests that follow
            raise AssertionError(str(failures)) from failures

    def _may(self, route: Route[Any, Any], names: dict[str, str]) -> bool:
        """What the tables say."""
        if route.permission is None:
            return True
        if self.role is None:
            return False
        if route.permission is Permission.SELF:
            return True
        own = self.role is not Role.AGENT or (names.get("app", OURS), names.get("environment", "prod")) == (
            OURS,
            "prod",
        )
        return own and route.permission in PERMISSIONS[self.role]


async def _token(api: Api, role: Role | None) -> str | None:
    if role is None or role is Role.OPERATOR:
        return role and api.operator
    return await api.register(OURS) if role is Role.AGENT else await api.key(f"key-{role}", role)


async def _state(api: Api) -> list[bytes]:
    return [(await api.get(path)).body for path in _STATE]


@pytest.mark.parametrize("role", [None, *Role], ids=str)
async def test_no_request_of_the_document_breaks_the_api_or_is_accepted_without_permission(
    migrated_url: str, counted: Tally, role: Role | None
) -> None:
    async with serving_api(migrated_url) as api:
        there = await fill(api, OURS), await fill(api, THEIRS)
        token, before = await _token(api, role), await _state(api)
        with requests.Session() as session:
            run = Run(api, role, token, there, session)
            await anyio.to_thread.run_sync(run.try_all)
        assert role in _WRITERS or await _state(api) == before
    add(counted, run.statuses)
