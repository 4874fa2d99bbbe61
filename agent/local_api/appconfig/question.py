"""What a request asks: `/applications/{app}/environments/{environment}/configurations/{profile}`, and its headers."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from agent.local_api.asked import Asked
from agent.local_api.contexts import query_context
from agent.local_api.errors import invalid
from shared.domain.context import Attribute, EvaluationContext
from shared.domain.document import Fault

_ENTITY = "targetingKey"


@dataclass(frozen=True, slots=True)
class Profile:
    """Which configuration, as the path names it."""

    app_id: str
    environment: str
    name: str


def profile_in(path: str) -> Profile:
    """The three names of a path, each encoded on its own."""
    *_, app_id, _, environment, _, name = path.split("/")
    return Profile(unquote(app_id), unquote(environment), unquote(name))


def context_in(headers: Mapping[str, str], own: Mapping[str, Attribute]) -> EvaluationContext:
    """Who asks: `Context: plan=pro, age:=30`, given once or again and again, and `Entity-Id: ada`.

    Raises:
        ProblemError: it cannot be taken.
    """
    pairs = [_pair(part) for part in headers.get("context", "").split(",") if part.strip()]
    if entity := headers.get("entity-id"):
        pairs = [(name, value) for name, value in pairs if name != _ENTITY] + [(_ENTITY, entity)]
    return query_context(pairs, own)


def flags_in(asked: Asked) -> list[str]:
    """The flags that are asked for by name."""
    return list(dict.fromkeys(value for name, value in asked.pairs() if name == "flag" and value))


def _pair(part: str) -> tuple[str, str]:
    name, equals, value = part.strip().partition("=")
    if not equals or not name:
        raise invalid(Fault("Context", "has a part that is not name=value"))
    return name.strip(), value.strip()
