"""Write conditions shorter: a long list of texts as its members, before the condition is read and kept."""

from shared.domain.codec import Json
from shared.domain.condition import MAX_DEPTH, MAX_VALUES
from shared.domain.members import MAX_MEMBERS, encode_members
from shared.domain.operators import MAX_TEXT

_IN = frozenset({"in", "eq"})
_NOT_IN = frozenset({"not_in", "ne"})


def compacted(condition: Json) -> Json:
    """The condition, in which each list of more texts than `MAX_VALUES` is a list of members.

    Of what is no condition, everything stays as it is for `parse_condition` to tell.
    """
    return _compacted(condition, MAX_DEPTH)


def _compacted(condition: Json, depth: int) -> Json:
    if depth == 0:
        return condition
    match condition:
        case {"attribute": name, "op": str(op), "values": [*values], **rest} if not rest and _is_long(values):
            return _listed(condition, name, op, values)
        case {"all": [*parts]} if len(condition) == 1:
            return {"all": [_compacted(each, depth - 1) for each in parts]}
        case {"any": [*parts]} if len(condition) == 1:
            return {"any": [_compacted(each, depth - 1) for each in parts]}
        case {"not": part} if len(condition) == 1:
            return {"not": _compacted(part, depth - 1)}
        case _:
            return condition


def _is_long(values: list[Json]) -> bool:
    if not MAX_VALUES < len(values) <= MAX_MEMBERS:
        return False
    return all(isinstance(each, str) and len(each) <= MAX_TEXT for each in values)


def _listed(condition: Json, name: Json, op: str, values: list[str]) -> Json:
    if op not in _IN | _NOT_IN:
        return condition
    try:
        listed = {"attribute": name, "members": encode_members(values)}
    except UnicodeEncodeError:
        return condition
    return listed if op in _IN else {"not": listed}
