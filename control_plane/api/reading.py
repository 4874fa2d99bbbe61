"""Read what a request carries into its declared models, or say exactly what is wrong and where."""

from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import TypeVar, cast, get_origin

import anyio
from aiohttp import web
from anyio.to_thread import run_sync
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, from_json

from control_plane.api.errors import MalformedError, UnsupportedMediaError
from control_plane.api.media import JSON, YAML
from control_plane.domain.errors import InvalidError, TooLargeError
from control_plane.domain.limits import Limits
from shared.domain.codec import Json, encode
from shared.wire.problem import Violation
from shared.wire.yaml_reading import YamlRefusedError, read_yaml

M = TypeVar("M", bound=BaseModel)

BODY_TIMEOUT = 30.0
"""Seconds within which the whole body must have come."""

MAX_IDEMPOTENCY_KEY = 255
_VISIBLE = range(0x21, 0x7F)


async def read_bytes(request: web.Request, limits: Limits, *, document: bool = False) -> bytes:
    """The body's bytes, never more than the limit in memory, whatever its headers say. A document may be YAML."""
    types = (JSON, YAML) if document else (JSON,)
    if request.content_type not in types or (request.charset or "utf-8").lower() != "utf-8":
        given = request.headers.get("Content-Type", "without a type")
        detail = f"The body is {' or '.join(types)} in UTF-8, not {given}."
        raise UnsupportedMediaError(detail)
    name, most = ("import_bytes", limits.import_bytes) if document else ("body_bytes", limits.body_bytes)
    return await read_within(request, name, most)


async def read_within(request: web.Request, name: str, most: int) -> bytes:
    """The body's bytes, of whatever type, within the limit of this name."""
    too_large = TooLargeError(name, most, "bytes")
    if (request.content_length or 0) > most:
        raise too_large
    body = bytearray()
    try:
        with anyio.fail_after(BODY_TIMEOUT):
            async for piece in request.content.iter_any():
                body += piece
                if len(body) > most:
                    raise too_large
    except ConnectionError as error:
        detail = "The body ended early."
        raise MalformedError(detail) from error
    except TimeoutError as error:
        detail = f"The body did not come, or not in a form that can be read, within {BODY_TIMEOUT:g} seconds."
        raise MalformedError(detail) from error
    return bytes(body)


async def read_document(model: type[M], raw: bytes, limits: Limits, content_type: str) -> M:
    """A document as its model; away from the event loop, for it may be long."""
    return await run_sync(_document, model, raw, limits, content_type)


def _document(model: type[M], raw: bytes, limits: Limits, content_type: str) -> M:
    if content_type != YAML:
        return read_body(model, raw, limits)
    try:
        return read_body(model, encode(read_yaml(raw)), limits)
    except YamlRefusedError as error:
        raise MalformedError(str(error)) from error
    except TypeError as error:  # half of a surrogate pair
        detail = "The document holds a text that is not Unicode."
        raise MalformedError(detail) from error


def read_body(model: type[M], raw: bytes, limits: Limits) -> M:
    """The body as its model."""
    try:
        return model.model_validate_json(raw, context=limits)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)
        if wrong[0]["type"] == "json_invalid":
            raise MalformedError(_sentence(wrong[0])) from error
        document = from_json(raw)
        raise InvalidError([Violation(_pointer(each, document), _sentence(each)) for each in wrong]) from error


def read_query(model: type[M], request: web.Request, limits: Limits) -> M:
    """The query as its model; a parameter that it does not know, or given twice, is a violation."""
    try:
        if not request.rel_url.raw_query_string:
            return cast("M", _without_query(model, limits))
        return model.model_validate(_given(model, request), context=limits)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)
        raise InvalidError([Violation(f"?{each['loc'][0]}", _sentence(each)) for each in wrong]) from error


def _given(model: type[BaseModel], request: web.Request) -> dict[str, str | list[str]]:
    """The parameters of a query, each once unless the model wants several."""
    repeatable = _repeatable(model)
    times = Counter(name for name, _ in request.query.items() if name not in repeatable)
    if twice := sorted(name for name in times if times[name] > 1):
        raise InvalidError([Violation(f"?{name}", "given more than once") for name in twice])
    return dict(request.query) | {name: request.query.getall(name) for name in repeatable & request.query.keys()}


@cache
def _without_query(model: type[BaseModel], limits: Limits) -> BaseModel:
    """What an empty query says, read once: most requests have none."""
    return model.model_validate({}, context=limits)


@cache
def _repeatable(model: type[BaseModel]) -> frozenset[str]:
    """The parameters of which each may be given several times: those that are tuples."""
    return frozenset(name for name, each in model.model_fields.items() if get_origin(each.annotation) is tuple)


def read_idempotency_key(headers: Mapping[str, str]) -> str | None:
    """The Idempotency-Key, if there is one."""
    key = headers.get("Idempotency-Key")
    if key is not None and (not 0 < len(key) <= MAX_IDEMPOTENCY_KEY or any(ord(each) not in _VISIBLE for each in key)):
        detail = f"Idempotency-Key has 1 to {MAX_IDEMPOTENCY_KEY} visible ASCII characters."
        raise MalformedError(detail)
    return key


def _pointer(error: ErrorDetails, document: Json) -> str:
    """The JSON Pointer of an error: its location, less the names of union branches, which are not in the request."""
    steps, here = [], document
    last = len(error["loc"]) - 1
    for index, step in enumerate(error["loc"]):
        found = _child(here, step)
        if found is None and not (index == last and error["type"] == "missing"):
            continue
        steps.append(str(step).replace("~", "~0").replace("/", "~1"))
        here = found[0] if found else here
    return "".join(f"/{step}" for step in steps)


def _child(document: Json, step: int | str) -> tuple[Json] | None:
    if isinstance(document, dict) and isinstance(step, str):
        return (document[step],) if step in document else None
    if isinstance(document, list) and isinstance(step, int):
        return (document[step],) if step < len(document) else None
    return None


def _sentence(error: ErrorDetails) -> str:
    """What is wrong, without the input: that may be a secret in the wrong place."""
    if error["type"] == "union_tag_invalid":
        return f"{error['ctx']['discriminator']} should be one of {error['ctx']['expected_tags']}"
    return error["msg"].removeprefix("Value error, ")
