"""Drafts of changes for tests that only need some change."""

from control_plane.domain.attribution import Attribution
from control_plane.domain.change import Draft, Op, Operation
from shared.domain.codec import Json, canonical
from shared.domain.scope import Scope


def put(*scopes: Scope, key: str = "key", value: Json = 1, sensitive: bool = False) -> Draft:
    """A change that puts one value in each scope."""
    operations = (Operation(Op.PUT, scope, key, canonical(value), sensitive=sensitive) for scope in scopes)
    return Draft(tuple(operations), by=Attribution("alice"))
