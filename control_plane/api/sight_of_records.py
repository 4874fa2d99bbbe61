"""Audit records as their readers may see them: those about their own places, without values that are withheld."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from control_plane.domain.access.decision import may
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.principal import Principal
from control_plane.domain.access.reach import EVERYWHERE, Place
from control_plane.domain.audit import AuditRecord
from shared.domain.codec import Json
from shared.domain.scope import Scope

_OPERATIONS = "operations"
_SIDES = ("before", "after")


def places_of_record(record: AuditRecord) -> list[Place]:
    """What a record is about; what cannot be told is about the installation."""
    return [*_places(record)] or [EVERYWHERE]


def seen_record(principal: Principal, record: AuditRecord) -> AuditRecord:
    """A record without the operations that its reader may not see, and without values that are withheld."""
    if principal.everywhere >= {Permission.AUDIT_READ, Permission.VALUES_READ} or not _operations(record):
        return record
    seen = [
        _bare(principal, each)
        for each in _operations(record)
        if (place := _place(each)) is not None and may(principal, Permission.AUDIT_READ, place)
    ]
    return replace(record, detail={**record.detail, _OPERATIONS: seen})


def _places(record: AuditRecord) -> Iterator[Place]:
    detail = record.detail if isinstance(record.detail, Mapping) else {}
    operations = _operations(record)
    for each in operations:
        if (place := _place(each)) is not None:
            yield place
    if operations:
        return
    if isinstance(app := detail.get("app_id"), str) and app:
        yield Place(app, detail.get("environment") or None, detail.get("key") or None)
    elif (scope := _scope(record.object)) is not None:
        yield Place.of(scope)


def _operations(record: AuditRecord) -> list[Mapping[str, Json]]:
    found = record.detail.get(_OPERATIONS) if isinstance(record.detail, Mapping) else None
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _place(operation: Mapping[str, Json]) -> Place | None:
    scope = _scope(operation.get("scope"))
    return None if scope is None else Place.of(scope, operation.get("key"))


def _scope(text: Json) -> Scope | None:
    try:
        return Scope.parse(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _bare(principal: Principal, operation: Mapping[str, Json]) -> Json:
    place = _place(operation) or EVERYWHERE
    if may(principal, Permission.VALUES_READ, place):
        return operation
    hidden = {side: {"withheld": True} for side in _SIDES if operation.get(side) is not None}
    return {**operation, **hidden}
