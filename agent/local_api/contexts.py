"""The evaluation context of a request: what it says of who asks, and under that what the agent knows of itself."""

from collections.abc import Mapping

from agent.snapshot.own import PREFIX
from shared.domain.codec import Json
from shared.domain.context import EvaluationContext, Scalar
from shared.domain.document import Fault

MAX_TEXT = 1_024
MAX_GROUPS = 100
MAX_ATTRIBUTES = 100
MAX_NAME = 255
_KEY, _GROUPS = "targetingKey", "groups"


class ContextError(Exception):
    """A context that cannot be taken: what is wrong, and at which of its members."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.detail)
        self.pointer, self.detail = fault


def context_of(document: Json, own: Mapping[str, Scalar]) -> EvaluationContext:
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
    attributes = {
        name: _scalar(name, value)
        for name, value in document.items()
        if name not in {_KEY, _GROUPS} and not name.startswith(PREFIX)
    }
    return EvaluationContext(_targeting_key(document), _groups(document), {**attributes, **own})


def _targeting_key(document: Mapping[str, Json]) -> str | None:
    key = document.get(_KEY)
    if key is not None and (not isinstance(key, str) or len(key) > MAX_TEXT):
        raise ContextError(Fault(f"/{_KEY}", f"a text of at most {MAX_TEXT:,} characters"))
    return key


def _groups(document: Mapping[str, Json]) -> tuple[str, ...]:
    groups = document.get(_GROUPS)
    if groups is None:
        return ()
    if isinstance(groups, str):
        groups = [groups]
    texts = isinstance(groups, list) and all(isinstance(each, str) and len(each) <= MAX_TEXT for each in groups)
    if not texts or len(groups) > MAX_GROUPS:
        raise ContextError(Fault(f"/{_GROUPS}", f"a list of at most {MAX_GROUPS} texts"))
    return tuple(groups)


def _scalar(name: str, value: Json) -> Scalar:
    if not 0 < len(name) <= MAX_NAME:
        raise ContextError(Fault("", f"names of attributes have 1 to {MAX_NAME} characters"))
    if isinstance(value, (dict, list)) or (isinstance(value, str) and len(value) > MAX_TEXT):
        raise ContextError(
            Fault(f"/{name}", f"a text of at most {MAX_TEXT:,} characters, a number, true, false or null")
        )
    scalar: Scalar = value
    return scalar
