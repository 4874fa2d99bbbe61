"""The evaluation context of a request: what it says of who asks, and under that what the agent knows of itself."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from agent.local_api.asked import Asked, Pairs
from agent.local_api.errors import invalid
from agent.snapshot.own import PREFIX
from shared.domain.codec import Json, MalformedJsonError, decode
from shared.domain.context import Attribute, EvaluationContext, Scalar
from shared.domain.document import Fault

MAX_TEXT = 1_024
MAX_GROUPS = 100
MAX_ATTRIBUTES = 100
MAX_NAME = 255
_KEY, _GROUPS, _JSON_SIGN = "targetingKey", "groups", ":"
_KEY_SIGN = f"{_KEY}="
_NO_GROUPS: tuple[str, ...] = ()


class ContextError(Exception):
    """A context that cannot be taken: what is wrong, and at which of its members."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.detail)
        self.pointer, self.detail = fault


def context_of(document: Json, own: Mapping[str, Attribute]) -> EvaluationContext:
    """The context of a JSON object, in OpenFeature's form; None is an empty one. Nobody speaks for the agent (`agent.…`).

    Raises:
        ContextError: it cannot be taken.
    """
    if document is None:
        document = {}
    if not isinstance(document, dict):
        raise ContextError(Fault("", "a context is an object"))
    if len(document) > MAX_ATTRIBUTES + 2:
        raise ContextError(Fault("", f"at most {MAX_ATTRIBUTES} attributes"))
    key, groups, attributes = None, _NO_GROUPS, dict[str, Attribute]()
    for name, value in document.items():
        if name == _KEY:
            key = value if type(value) is str and len(value) <= MAX_TEXT else _targeting_key(value)
        elif name == _GROUPS:
            groups = _groups(value)
        elif type(value) is str and len(value) <= MAX_TEXT and len(name) <= MAX_NAME and _is_usual(name):
            attributes[name] = value  # almost all there ever is
        elif not name.startswith(PREFIX):
            attributes[name] = _attribute(name, value)
    attributes.update(own)
    return EvaluationContext(key, groups, attributes)


def says_who(query: Pairs, *reserved: str) -> bool:
    """Whether a query has anything of a context."""
    return any(name not in reserved for name, _ in query)


def query_context(query: Pairs, own: Mapping[str, Attribute], *reserved: str) -> EvaluationContext:
    """The context of a query: `targetingKey=ada&groups=beta,staff&country=SE&age:=30`. What ends in `:` is JSON, else a text.

    Raises:
        ProblemError: it cannot be taken.
    """
    if len(query) > MAX_ATTRIBUTES + MAX_GROUPS:
        raise invalid(Fault("", f"at most {MAX_ATTRIBUTES} attributes and {MAX_GROUPS} groups"))
    document: dict[str, Json] = {}
    for name, text in query:
        if name == _GROUPS:
            document[_GROUPS] = [*document.get(_GROUPS, []), *filter(None, text.split(","))]
        elif name.endswith(_JSON_SIGN):
            document[name[:-1]] = _json(name, text)
        elif name not in reserved:
            document[name] = text
    try:
        return context_of(document, own)
    except ContextError as error:
        raise invalid(Fault(f"?{error.pointer.removeprefix('/')}", error.detail)) from error


def asked_context(asked: Asked, own: Mapping[str, Attribute], *reserved: str) -> EvaluationContext:
    """The context of a request's query.

    Raises:
        ProblemError: it cannot be taken.
    """
    simple = _simple_context(asked.query, own, reserved)
    return query_context(asked.pairs(), own, *reserved) if simple is None else simple


def _simple_context(query: str, own: Mapping[str, Attribute], reserved: Sequence[str]) -> EvaluationContext | None:
    """The same for the texts of nearly all queries, in one go; None where there is more to look at.

    Who asks differs from one to the next, and there are few ways to be otherwise: so all but the targeting key is known.
    """
    if not query:
        return EvaluationContext(None, _NO_GROUPS, own)
    if "%" in query or "+" in query or len(query) > MAX_TEXT:
        return None
    key, rest, at = None, query, query.find(_KEY_SIGN)
    if at >= 0:
        if at and query[at - 1] != "&":
            return None
        key, _, after = query[at + len(_KEY_SIGN) :].partition("&")
        rest = query[:at] + after
    others = _others(rest, reserved)
    return None if others is None else EvaluationContext(key, others[0], {**others[1], **own})


@lru_cache(maxsize=256)
def _others(query: str, reserved: Sequence[str]) -> tuple[tuple[str, ...], Mapping[str, Attribute]] | None:
    """The groups and the attributes of a query; None where there is more to look at."""
    groups, attributes = _NO_GROUPS, dict[str, Attribute]()
    pairs = [each.partition("=") for each in query.split("&") if each]
    for name, _, text in pairs:
        if name == _GROUPS:
            groups += tuple(filter(None, text.split(",")))
        elif not _is_usual(name) or name == _KEY:
            return None
        elif name not in reserved:
            attributes[name] = text
    return None if len(pairs) > MAX_ATTRIBUTES or len(groups) > MAX_GROUPS else (groups, attributes)


@lru_cache(maxsize=1_024)
def _is_usual(name: str) -> bool:
    """Whether a name is that of an attribute, and asks for nothing more. There are few names, and each comes often."""
    return 0 < len(name) <= MAX_NAME and name[-1] != _JSON_SIGN and not name.startswith(PREFIX)


def _json(name: str, text: str) -> Json:
    try:
        return decode(text[: MAX_TEXT + 2])
    except MalformedJsonError as error:
        raise invalid(Fault(f"?{name}", "is not JSON: leave the colon out for a text")) from error


def _targeting_key(key: Json) -> str | None:
    if key is not None and (not isinstance(key, str) or len(key) > MAX_TEXT):
        raise ContextError(Fault(f"/{_KEY}", f"a text of at most {MAX_TEXT:,} characters"))
    return key


def _groups(groups: Json) -> tuple[str, ...]:
    if groups is None:
        return ()
    if isinstance(groups, str):
        groups = [groups]
    if not isinstance(groups, list) or len(groups) > MAX_GROUPS:
        raise _not_groups()
    for each in groups:
        if type(each) is not str or len(each) > MAX_TEXT:
            raise _not_groups()
    return tuple(groups)


def _not_groups() -> ContextError:
    return ContextError(Fault(f"/{_GROUPS}", f"a list of at most {MAX_GROUPS} texts"))


def _attribute(name: str, value: Json) -> Attribute:
    if not isinstance(value, list):
        return _scalar(name, value)
    if len(value) > MAX_GROUPS:
        raise ContextError(Fault(f"/{name}", f"a list of at most {MAX_GROUPS} of them"))
    return [_scalar(name, each) for each in value]


def _scalar(name: str, value: Json) -> Scalar:
    if not 0 < len(name) <= MAX_NAME:
        raise ContextError(Fault("", f"names of attributes have 1 to {MAX_NAME} characters"))
    if isinstance(value, (dict, list)) or (isinstance(value, str) and len(value) > MAX_TEXT):
        raise ContextError(
            Fault(f"/{name}", f"a text of at most {MAX_TEXT:,} characters, a number, true, false or null")
        )
    scalar: Scalar = value
    return scalar
