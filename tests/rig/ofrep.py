"""What the OpenFeature Remote Evaluation Protocol 0.3 says of answers, as schemas of our own, and a reader that holds to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import jsonschema_rs

from shared.domain.codec import Json, decode, encode

REASONS = (
    "STATIC", "DEFAULT", "TARGETING_MATCH", "SPLIT", "CACHED", "DISABLED", "UNKNOWN", "STALE", "ERROR",
)  # fmt: skip
"""OpenFeature's words, and no others: a client's enumeration has nothing else."""

_METADATA = {"type": "object", "additionalProperties": {"type": ["boolean", "string", "number"]}}
_KEY = {"type": "string"}
_SUCCESS = {
    "type": "object",
    # The protocol asks for key and reason; clients break without a variant.
    "required": ["key", "reason", "variant"],
    "properties": {
        "key": _KEY,
        "value": {"type": ["boolean", "string", "number", "object", "array"]},
        "reason": {"enum": list(REASONS)},
        "variant": {"type": "string", "minLength": 1},
        "metadata": _METADATA,
    },
    "not": {"required": ["errorCode"]},
}
_DETAILS = {"type": "string", "minLength": 1}
_CODES = ["PARSE_ERROR", "TARGETING_KEY_MISSING", "INVALID_CONTEXT", "GENERAL"]


def _failure(*codes: str, keyed: bool = True) -> Json:
    """The protocol lets the details be left out; clients look for them."""
    return {
        "type": "object",
        "required": [*(["key"] if keyed else []), "errorCode", "errorDetails"],
        "properties": {"key": _KEY, "errorCode": {"enum": list(codes)}, "errorDetails": _DETAILS},
        "not": {"required": ["value"]},
    }


_STREAM = {
    "type": "object",
    "required": ["type"],
    "properties": {
        "type": {"const": "sse"},
        "url": {"type": "string", "pattern": "^https?://"},
        "endpoint": {
            "type": "object",
            "required": ["requestUri"],
            "properties": {"origin": {"type": "string"}, "requestUri": {"type": "string", "pattern": "^/"}},
        },
        "inactivityDelaySec": {"type": "integer", "minimum": 1},
    },
    "oneOf": [{"required": ["url"]}, {"required": ["endpoint"]}],
}
_BULK = {
    "type": "object",
    "required": ["flags"],
    "properties": {
        "flags": {"type": "array", "items": {"oneOf": [_SUCCESS, _failure(*_CODES, "FLAG_NOT_FOUND")]}},
        "metadata": _METADATA,
        "eventStreams": {"type": "array", "items": _STREAM},
    },
}
_OTHERS = (401, 403, 413, 415, 429)
_SINGLE: Mapping[int, Json] = {
    200: _SUCCESS,
    400: _failure(*_CODES),
    404: _failure("FLAG_NOT_FOUND"),
    503: _failure("PROVIDER_NOT_READY"),
    **dict.fromkeys(_OTHERS, _failure("GENERAL")),
}
_TOGETHER: Mapping[int, Json] = {
    200: _BULK,
    400: _failure(*_CODES, keyed=False),
    503: _failure("PROVIDER_NOT_READY", keyed=False),
    **dict.fromkeys(_OTHERS, _failure("GENERAL", keyed=False)),
}
_VALIDATORS = {
    (bulk, status): jsonschema_rs.Draft202012Validator(schema)
    for bulk, schemas in ((False, _SINGLE), (True, _TOGETHER))
    for status, schema in schemas.items()
}


@dataclass(frozen=True, slots=True)
class Told:
    """One answer, found to be as the protocol has it. `text` is the body as it was sent."""

    status: int
    document: Any
    headers: Mapping[str, str]
    text: str

    @property
    def etag(self) -> str:
        return self.headers["ETag"]

    @property
    def error(self) -> str:
        return str(self.document["errorCode"])

    def flag(self, key: str) -> Any:
        """One item of a bulk."""
        return next(each for each in self.document["flags"] if each["key"] == key)

    @property
    def keys(self) -> list[str]:
        return [each["key"] for each in self.document["flags"]]


@dataclass
class Reader:
    """Asks an agent as a client does, and checks every answer."""

    session: aiohttp.ClientSession
    url: str
    headers: dict[str, str] = field(default_factory=dict)

    async def single(self, key: str, context: Json = None, **headers: str) -> Told:
        """Evaluate one flag."""
        return await self.send(f"/{key}", encode({"context": context or {}}), **headers)

    async def bulk(self, context: Json = None, query: str = "", **headers: str) -> Told:
        """Evaluate all of them."""
        return await self.send(query, encode({"context": context or {}}), **headers)

    async def send(self, at: str, body: bytes | None, **headers: str) -> Told:
        """Send any body. Names of headers are given with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        given = {"Content-Type": "application/json"} | self.headers | named
        where = f"{self.url}/ofrep/v1/evaluate/flags{at}"
        async with self.session.post(where, data=body, headers={k: v for k, v in given.items() if v}) as answer:
            return told(answer.status, await answer.read(), answer.headers, bulk=not at.startswith("/"))


def told(status: int, body: bytes, headers: Mapping[str, str], *, bulk: bool) -> Told:
    """An answer, if it is one of the protocol's."""
    if status == 304:
        assert body == b""
        assert headers["ETag"].startswith('"')
        return Told(status, None, headers, "")
    assert headers["Content-Type"].partition(";")[0] == "application/json", headers
    document = decode(body)
    _VALIDATORS[bulk, status].validate(document)
    if status == 200 and bulk:
        assert headers["ETag"][0] == headers["ETag"][-1] == '"', "a strong tag, quoted"
    if status in (429, 503):
        assert headers["Retry-After"].isdecimal()
    return Told(status, document, headers, body.decode())
