"""What a request of the protocol asks: its context, and for a bulk which flags."""

from collections.abc import Mapping
from dataclasses import dataclass

from agent.local_api.asked import Asked
from agent.local_api.contexts import ContextError, context_of
from agent.local_api.ofrep.refusal import RefusalError
from shared.domain.codec import Json
from shared.domain.context import Attribute, EvaluationContext
from shared.domain.resolution import ErrorCode

MAX_FLAGS = 1_000
"""Flags that one bulk names."""
_FLAGS, _PREFIX = "flags", "prefix"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which flags a bulk is about: those of these names and those of a prefix; all, where neither is said."""

    flags: tuple[str, ...] = ()
    prefix: str | None = None


def context_in(asked: Asked, own: Mapping[str, Attribute]) -> tuple[EvaluationContext, Json]:
    """The context of a body, and as it was sent. None at all, or an empty one, is nobody in particular.

    Structures in it are left out: OpenFeature allows them, and no rule can refer to one.

    Raises:
        RefusalError: it cannot be taken.
        ProblemError: the body is no JSON.
    """
    given = _given(asked)
    if not given:
        return EvaluationContext(attributes=own), given
    try:
        return context_of(given, own), given
    except ContextError:
        return _without_structures(given, own), given


def wanted_in(asked: Asked, given: Json) -> Wanted:
    """The filter of a bulk: `?flags=a,b`, `?prefix=web.`, or a list `flags` in the context.

    Raises:
        RefusalError: it names too many.
        ProblemError: the query has too many parameters.
    """
    query = asked.pairs()
    names = [name for at, text in query if at == _FLAGS for name in text.split(",") if name]
    if isinstance(given, dict) and isinstance(listed := given.get(_FLAGS), list):
        names += [each for each in listed if isinstance(each, str)]
    if len(names) > MAX_FLAGS:
        raise RefusalError(ErrorCode.GENERAL, f"A bulk names at most {MAX_FLAGS:,} flags; give a prefix.")
    return Wanted(tuple(dict.fromkeys(names)), next((text for at, text in query if at == _PREFIX), None))


def _given(asked: Asked) -> Json:
    """The context as it was sent, an object or nothing."""
    document = asked.document() if asked.body else {}
    if not isinstance(document, dict):
        raise RefusalError(ErrorCode.PARSE_ERROR, 'The body is an object, as in {"context": {"targetingKey": "ada"}}.')
    given = document.get("context")
    if given is not None and not isinstance(given, dict):
        raise RefusalError(ErrorCode.INVALID_CONTEXT, "/context: a context is an object")
    return given


def _without_structures(given: Mapping[str, Json], own: Mapping[str, Attribute]) -> EvaluationContext:
    try:
        return context_of({name: value for name, value in given.items() if not _structured(value)}, own)
    except ContextError as error:
        raise RefusalError(ErrorCode.INVALID_CONTEXT, f"/context{error.pointer}: {error.detail}") from error


def _structured(value: Json) -> bool:
    if isinstance(value, list):
        return any(isinstance(each, (dict, list)) for each in value)
    return isinstance(value, dict)
