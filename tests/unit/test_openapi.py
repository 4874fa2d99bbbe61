"""The OpenAPI document says everything that the table of routes does, and nothing dangling."""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs

from control_plane.api.openapi import describe
from control_plane.api.reference import generated
from control_plane.api.routes import ROUTES
from control_plane.domain.limits import Limits
from shared.wire.problem import ProblemType

_DOCUMENT = describe(ROUTES, Limits())


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from _references(each)


def _operations() -> Iterator[Any]:
    for operations in _DOCUMENT["paths"].values():
        yield from operations.values()


def test_every_reference_leads_somewhere() -> None:
    for reference in set(_references(_DOCUMENT)):
        here: Any = _DOCUMENT
        for step in reference.removeprefix("#/").split("/"):
            here = here[step]


def test_every_component_is_referred_to() -> None:
    used = {each.rpartition("/")[2] for each in _references(_DOCUMENT)}
    assert set(_DOCUMENT["components"]["schemas"]) <= used


def test_every_route_appears_once() -> None:
    assert len({route.name for route in ROUTES}) == len(ROUTES)
    assert sorted(each["operationId"] for each in _operations()) == sorted(route.name for route in ROUTES)
    for route in ROUTES:
        assert _DOCUMENT["paths"][route.path][route.method.lower()]["operationId"] == route.name


def test_every_operation_is_explained_and_describes_its_errors() -> None:
    for operation in _operations():
        assert operation["summary"]
        assert {"400", "500"} <= operation["responses"].keys()
        refuses = operation["security"] or operation["operationId"] in {"login", "create_access_token"}
        assert ("401" in operation["responses"]) == bool(refuses)


def test_every_schema_is_a_schema() -> None:
    for schema in _DOCUMENT["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema | {"$schema": "https://json-schema.org/draft/2020-12/schema"})


def test_every_path_variable_is_declared() -> None:
    for path, operations in _DOCUMENT["paths"].items():
        for operation in operations.values():
            declared = [each["name"] for each in operation["parameters"] if each["in"] == "path"]
            assert [f"{{{name}}}" for name in declared] == [part for part in path.split("/") if part.startswith("{")]


def test_every_type_of_problem_has_its_section() -> None:
    problems = next(body for path, body in generated() if path.name == "problems.md").decode()
    for kind in ProblemType:
        assert f"\n## {kind.slug}\n" in problems


def test_the_limits_are_in_it() -> None:
    document = describe(ROUTES, Limits(page_size=7))
    parameters = document["paths"]["/api/v1/configs"]["get"]["parameters"]
    assert next(each for each in parameters if each["name"] == "limit")["schema"]["maximum"] == 7
