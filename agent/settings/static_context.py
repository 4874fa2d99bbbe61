"""What the settings say of whom files are for, besides what the agent knows of itself."""

from agent.settings import parsers
from agent.snapshot.own import PREFIX
from shared.domain.codec import Json, MalformedJsonError, decode
from shared.domain.context import Attribute, EvaluationContext

MAX_ATTRIBUTES = 100
_KEY, _GROUPS, _JSON_SIGN = "targetingKey", "groups", ":"


def static_context(raw: Json) -> EvaluationContext:
    """`{targetingKey, groups, …}`; attributes are texts or lists of texts, or JSON where the name ends in `:`."""
    if not isinstance(raw, dict) or len(raw) > MAX_ATTRIBUTES:
        msg = f"is no mapping of at most {MAX_ATTRIBUTES} members; write it as {{targetingKey: web, country: SE}}"
        raise ValueError(msg)
    attributes: dict[str, Attribute] = {}
    for name, value in raw.items():
        if name.startswith(PREFIX):
            msg = f"has {name!r}; what begins with {PREFIX} the agent says itself, use labels for more"
            raise ValueError(msg)
        if name not in {_KEY, _GROUPS}:
            attributes[name.removesuffix(_JSON_SIGN)] = _attribute(name, value)
    key = parsers.text(raw[_KEY]) if _KEY in raw else None
    return EvaluationContext(key, parsers.texts(raw.get(_GROUPS, [])), attributes)


def _attribute(name: str, value: Json) -> Attribute:
    if not name.endswith(_JSON_SIGN):
        return list(map(parsers.text, value)) if isinstance(value, list) else parsers.text(value)
    try:
        found: Json = decode(parsers.text(value))
    except MalformedJsonError as error:
        msg = f"has {name!r}, which is not JSON; leave the colon out for a text"
        raise ValueError(msg) from error
    elements = found if isinstance(found, list) else [found]
    if any(isinstance(each, (dict, list)) for each in elements):
        msg = f"has {name!r}, which is neither a text, a number, true, false, null nor a list of them"
        raise ValueError(msg)
    attribute: Attribute = found
    return attribute
