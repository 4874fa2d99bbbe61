"""The OpenAPI 3.1 document, made of the same declarations that route and validate."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from control_plane.api.bodies.operations import ProblemView
from control_plane.api.media import JSON, YAML
from control_plane.api.reading import MAX_IDEMPOTENCY_KEY
from control_plane.api.route import Answer, Repeat, Route
from control_plane.api.staleness import STALE
from control_plane.domain.limits import Limits
from control_plane.domain.named_snapshot import SNAPSHOT_NAME_PATTERN
from control_plane.domain.people.user import NAME_PATTERN as USER_PATTERN
from shared.domain.codec import Json, decode, encode
from shared.domain.scope import NAME_PATTERN
from shared.wire import problem
from shared.wire.problem import Problem, ProblemType

_REFERENCE = "#/components/schemas/{model}"
_DESCRIPTION = """\
Centralized configuration management: a change made once reaches every instance in milliseconds, safely.

* Send `Authorization: Bearer <token>`. An operator may do everything; an agent's token reads the snapshot of its own
  app/environment and reports about its agent.
* Every error is a problem document (RFC 9457); `instance` is the request's id, `violations` point into the request.
* Lists come in pages: `limit` items and a `next_cursor`, null on the last page.
* An `Idempotency-Key` makes a POST safe to send again: the repeated request gets the first one's answer.
* Of a member that a JSON object has twice, the last one counts. Members and parameters that are not listed are refused.
* Secrets (`sensitive`) are shown to nobody but the agents that they are for: everybody else gets null.
"""
_PATH_VARIABLES: dict[str, Json] = {
    "app": {"type": "string", "pattern": f"^{NAME_PATTERN}$"},
    "environment": {"type": "string", "pattern": f"^{NAME_PATTERN}$"},
    "id": {"type": "string", "format": "uuid"},
    "change": {
        "description": "Its revision, once it is committed, or its id.",
        "oneOf": [{"type": "integer", "minimum": 0, "maximum": 2**63 - 1}, {"type": "string", "format": "uuid"}],
    },
    "seq": {"type": "integer", "minimum": 1, "maximum": 2**63 - 1},
    "version": {"type": "integer", "minimum": 1, "maximum": 2**63 - 1},
    "file": {"type": "string"},
    "user": {"type": "string", "pattern": f"^{USER_PATTERN}$"},
    "session": {"type": "string"},
    "role": {"type": "string", "pattern": f"^{NAME_PATTERN}$"},
    "template": {"type": "string", "pattern": f"^{NAME_PATTERN}$"},
    "name": {"type": "string", "pattern": f"^{SNAPSHOT_NAME_PATTERN}$"},
}
_TAGS = {
    "apps": "Applications, their environments, and the tokens of their agents.",
    "configs": "One entry in one scope: read, write, and what an app/environment gets of them all.",
    "changes": "Atomic changes of several entries, the record of them, and how far one has come.",
    "history": "What stood where at any moment, and how two moments or places differ.",
    "undo": "Changes that put back or carry over what is known: rollback, revert, restore, promotion.",
    "life": "What people do with a change between its making and its end.",
    "rollouts": "The gradual exposure of a candidate over what a config has: made, previewed, driven, watched.",
    "rollout_templates": "Plans of rollouts with a name.",
    "policies": "What a change needs before it is committed, by the scopes that it reaches.",
    "reviews": "Commits past their policies, each to be looked at by a second person.",
    "snapshots": "What agents fetch and follow.",
    "named_snapshots": "Revisions with names.",
    "transfer": "Configs in whole documents: export and import.",
    "fleet": "The agents themselves.",
    "api_keys": "Keys of people and machines, and what each may do.",
    "users": "Accounts of people.",
    "oauth": "Access tokens for API keys (OAuth 2.0).",
    "logins": "Logging in and out with a password, and one's own sessions.",
    "provider_logins": "Logging in by the company's identity provider.",
    "roles": "What roles may do, and who has them.",
    "auth": "Who calls, and why one may do something or may not.",
    "audit": "The chain of audit records: who did what.",
    "operations": "Health, readiness, metrics and documentation of a replica.",
}
_HEADERS: dict[str, Json] = {
    STALE: {
        "description": "`true` where the database is away, so that the answer may be behind; else not sent.",
        "schema": {"const": "true"},
    },
    "Location": {"description": "Where to find it again.", "schema": {"type": "string"}},
    "ETag": {"description": "What to send in If-Match or If-None-Match.", "schema": {"type": "string"}},
    "Idempotency-Replayed": {
        "description": "`true` where this is the answer to an earlier request with the same Idempotency-Key.",
        "schema": {"type": "string"},
    },
}


def describe(routes: Sequence[Route[Any, Any]], limits: Limits) -> dict[str, Json]:
    """The document for these routes."""
    schemas = _Schemas(routes)
    paths: dict[str, dict[str, Json]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas, limits)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Trimtab",
            "version": "1",
            "summary": "The control plane's API.",
            "description": _DESCRIPTION,
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "responses": dict(_problem_responses()),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


class _Schemas:
    """The JSON schemas of every model of the routes, and the reference of each."""

    def __init__(self, routes: Sequence[Route[Any, Any]]) -> None:
        models: dict[tuple[str, Any], None] = {("serialization", ProblemView): None}
        for route in routes:
            models |= {("serialization", each.model): None for each in route.answers if each.model is not None}
            models |= {("validation", each): None for each in (route.body, route.query) if each is not None}
        inputs = [(_name(each), _mode(mode), TypeAdapter(each)) for mode, each in models]
        refs, definitions = TypeAdapter.json_schemas(inputs, ref_template=_REFERENCE)
        self._references = {key: _renamed(schema) for (key, _), schema in refs.items()}
        queries = {each.query.__name__ for each in routes if each.query is not None}
        found = _renamed(_without_titles(definitions["$defs"]))
        self.components: dict[str, Json] = {name: each for name, each in found.items() if name not in queries}
        self._queries = {name: found[name] for name in queries}

    def of(self, model: Any) -> Json:
        """The schema of a model, by reference."""
        return self._references[_name(model)]

    def parameters(self, query: type[BaseModel], limits: Limits) -> Iterator[Json]:
        """The parameters of a query model."""
        for name, field in self._queries[query.__name__]["properties"].items():
            about = {key: value for key, value in field.items() if key not in {"title", "description", "default"}}
            about = next((each for each in about.get("anyOf", ()) if each.get("type") != "null"), about)
            if name == "limit":
                about = about | {"maximum": limits.page_size}
            yield {"name": name, "in": "query", "description": field.get("description", ""), "schema": about}


def _mode(text: str) -> JsonSchemaMode:
    return "serialization" if text == "serialization" else "validation"


def _name(model: Any) -> str:
    return repr(model)


def _without_titles(schema: Json) -> Json:
    """Leave out the titles: they only repeat names."""
    if isinstance(schema, list):
        return [_without_titles(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {k: _without_titles(v) for k, v in schema.items() if not (k == "title" and isinstance(v, str))}


def _renamed(schema: Json) -> Json:
    """Call a page of configs `ConfigPage`, which reads better than what its type parameters make of it."""
    return decode(re.sub(rb"PageView_([A-Za-z]+?)(?:View)?_", rb"\1Page", encode(schema)))


def _operation(route: Route[Any, Any], schemas: _Schemas, limits: Limits) -> Json:
    summary, description = route.documentation
    needs = f"Needs the permission `{route.permission}`." if route.permission else ""
    document: dict[str, Json] = {
        "operationId": route.name,
        "tags": [route.tag],
        "summary": summary,
        "description": "\n\n".join(filter(None, (description, needs))),
        "parameters": list(_parameters(route, schemas, limits)),
        "responses": dict(_responses(route, schemas)),
        "security": [{"token": [str(route.permission)]}] if route.permission else [],
    }
    if route.body is not None:
        forms = (JSON, YAML) if route.document else (JSON,)
        document["requestBody"] = {
            "required": True,
            "content": {each: {"schema": schemas.of(route.body)} for each in forms},
        }
    return document


def _parameters(route: Route[Any, Any], schemas: _Schemas, limits: Limits) -> Iterator[Json]:
    for name in re.findall(r"{(\w+)}", route.path):
        yield {"name": name, "in": "path", "required": True, "schema": _PATH_VARIABLES[name]}
    if route.query is not None:
        yield from schemas.parameters(route.query, limits)
    if route.if_match:
        yield _header(
            "If-Match", "The version that was read, in quotes; `*` for any.", {"type": "string"}, required=True
        )
    if route.conditional:
        yield _header("If-None-Match", "The ETag of what the caller has.", {"type": "string"})
    if route.repeat is not Repeat.UNKNOWN:
        schema = {"type": "string", "minLength": 1, "maxLength": MAX_IDEMPOTENCY_KEY, "pattern": "^[!-~]+$"}
        yield _header("Idempotency-Key", "The caller's own name for this request.", schema)


def _header(name: str, description: str, schema: Json, *, required: bool = False) -> Json:
    return {"name": name, "in": "header", "required": required, "description": description, "schema": schema}


def _responses(route: Route[Any, Any], schemas: _Schemas) -> Iterator[tuple[str, Json]]:
    own = {answer.status: _answer(answer, schemas) for answer in route.answers}
    yield from ((str(status), document) for status, document in own.items())
    problems = dict(_problem_responses())
    for status in sorted({each.status for each in route.problems}):
        name = f"Problem{status}"
        if status in own:  # where another standard has a form of its own for what goes wrong
            own[status]["content"] |= problems[name]["content"]
        else:
            yield str(status), {"$ref": f"#/components/responses/{name}"}


def _answer(answer: Answer, schemas: _Schemas) -> Json:
    document: dict[str, Json] = {"description": answer.description}
    if answer.headers:
        document["headers"] = {name: _HEADERS[name] for name in answer.headers}
    if answer.model is not None:
        document["content"] = {answer.media_type: {"schema": schemas.of(answer.model)}}
    return document


def _problem_responses() -> Iterator[tuple[str, Json]]:
    """One response for each status, telling the types of problem that have it."""
    for status in sorted({each.status for each in ProblemType}):
        kinds = [each for each in ProblemType if each.status == status]
        description = " ".join(f"[{each.title}]({each.uri})." for each in kinds)
        example = Problem(kinds[0], "What happened this time.").document("0f3a9c5e7b1d2846")
        media = {"schema": {"$ref": "#/components/schemas/ProblemView"}, "example": example}
        content = {problem.CONTENT_TYPE: media}
        yield f"Problem{status}", {"description": description, "content": content}
