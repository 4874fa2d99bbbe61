"""Seals operations on their way into the database, and readies what it takes to open what comes out."""

import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from uuid import UUID

import asyncpg

from control_plane.domain.change import Draft, Op, Operation
from control_plane.domain.errors import KeyLostError
from control_plane.domain.transition import Transition
from control_plane.postgres.sealing.data_keys import DataKeys
from control_plane.postgres.sealing.envelope import (
    DataKey,
    change_place,
    describe,
    is_sealed,
    rollout_place,
    seal,
    version_place,
)
from control_plane.postgres.sealing.opening import Opening, keys_in, keys_of
from shared.domain.codec import Json, canonical, decode
from shared.domain.entry import Kind

PLACING = frozenset({Op.PUT, Op.ROLLOUT})
"""Operations that say what an entry has."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """An operation's value and rollout as they are stored, and for which place: `mark` is what the database compares."""

    value: Json
    rollout: Json
    mark: Json


Sealing = Mapping[int, Sealed]
"""Sealed operations by their positions in a change."""
NOTHING: Sealing = {}


class Seals:
    """The one place where sensitive values are encrypted and decrypted."""

    def __init__(self, keys: DataKeys) -> None:
        self._keys = keys

    async def opening(self, rows: Sequence[asyncpg.Record], *columns: str) -> Opening:
        """What opens these rows' columns (default: value and rollout).

        Raises:
            KeyLostError: they are sealed under a key that is not there.
        """
        await self._keys.learn(keys_in(rows, *(columns or ("value", "rollout"))))
        return Opening(self._keys)

    async def opening_of(self, documents: Iterable[Json]) -> Opening:
        """What opens these documents."""
        await self._keys.learn(key for each in documents for key in keys_of(each))
        return Opening(self._keys)

    async def covered(self, operations: Sequence[Operation]) -> Sealing:
        """What says of itself that it is sensitive, as far as it may be told before its place is known."""
        found: dict[int, Sealed] = {}
        for position, each in enumerate(operations):
            if each.sensitive and each.op in PLACING:
                found[position] = await self._described(each)
        return found

    async def for_versions(self, operations: Sequence[Operation], places: Sequence[Json]) -> Sealing:
        """Operations at these places: `{"position", "id", "version"}` of the configs that they make."""
        found: dict[int, Sealed] = {}
        for place in places:
            position, own = place["position"], (place["id"], place["version"])
            mark = {"id": place["id"], "version": place["version"]}
            found[position] = await self._sealed(operations[position], partial(version_place, *own), mark)
        return found

    async def for_change(self, change_id: UUID, operations: Sequence[Operation], positions: Iterable[int]) -> Sealing:
        """Operations of a change that is stored."""
        found: dict[int, Sealed] = {}
        for position in positions:
            place = partial(change_place, change_id, position)
            found[position] = await self._sealed(operations[position], place, {"change": str(change_id)})
        return found

    async def request_hash(self, plain: bytes) -> bytes:
        """What is kept of a request to know it again: values stand in it, and a short one could be guessed from a plain hash.

        Without the key nothing sensitive can be written, so there is nothing to hide.
        """
        try:
            return hmac.digest(await self._keys.digests(), b"trimtab request\0" + plain, "sha256")
        except KeyLostError:
            return plain

    async def known_again(self, draft: Draft) -> Draft:
        """A draft as it is kept, and compared with what was."""
        if draft.idempotency_key is None:
            return draft
        return replace(draft, request_hash=await self.request_hash(draft.request_hash))

    async def rollout(self, transition: Transition) -> Transition:
        """A rollout with its candidate sealed, whether or not others may see it: the config decides that, anew each time."""
        document, kind = transition.document, str(transition.document.get("kind", Kind.VALUE))
        if "candidate" not in document:
            return transition
        value = canonical(document["candidate"])
        described = describe(await self._keys.digests(), transition.scope, transition.key, kind, value)
        key = await self._keys.current(transition.scope)
        sealed = {"candidate": seal(key, value, rollout_place(transition.id), described)}
        return replace(transition, document={**document, **sealed})

    async def _described(self, operation: Operation) -> Sealed:
        digests, own = await self._keys.digests(), operation
        value = describe(digests, own.scope, own.key, own.kind, own.value) if own.value else None
        rollout = _rollout(own)
        if rollout is not None:
            candidate = canonical(rollout["candidate"])
            rollout["candidate"] = describe(
                digests, own.scope, own.key, str(rollout.get("kind", Kind.VALUE)), candidate
            )
        return Sealed(value, rollout, None)

    async def _sealed(self, operation: Operation, place: Callable[[str], bytes], mark: Json) -> Sealed:
        told = await self._described(operation)
        key = await self._keys.current(operation.scope)
        value = None if told.value is None else seal(key, operation.value, place("value"), told.value)
        return Sealed(value, _with_candidate(key, operation, told.rollout, place("candidate")), mark)


def _with_candidate(key: DataKey, operation: Operation, told: Json, place: bytes) -> Json:
    if told is None:
        return None
    candidate = canonical((_rollout(operation) or {})["candidate"])
    return {**told, "candidate": seal(key, candidate, place, told["candidate"])}


def _rollout(operation: Operation) -> dict[str, Json] | None:
    return dict(decode(operation.rollout)) if operation.rollout else None


def open_candidate(opening: Opening, rollout_id: UUID, document: Mapping[str, Json]) -> Mapping[str, Json]:
    """The document of a stored rollout as it was given to us."""
    if not is_sealed(document.get("candidate")):
        return document
    return {**document, "candidate": decode(opening.opened(document["candidate"], rollout_place(rollout_id)))}
