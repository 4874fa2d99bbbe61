"""Schemas of configs: what they are held against before they are kept, so that what stands always fits them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

import anyio
from anyio.lowlevel import checkpoint

from control_plane.domain.attribution import Attribution
from control_plane.domain.effects import Layers, Seen, Standing
from control_plane.domain.errors import MAX_TOLD, InvalidError, TooLargeError, UnfitError, ValuesMovedError
from control_plane.domain.fitness import Fitness
from control_plane.domain.preview import Some
from control_plane.domain.schema import Checked, Checker, NewSchema, Schema, pattern_violations
from control_plane.domain.unfit import Unfit
from control_plane.ports.pages import Page
from control_plane.ports.rules import RuleBook, Schemas
from control_plane.services.checks import CHECKING_SECONDS
from control_plane.services.rules import Rules, Ruling
from shared.wire.problem import Violation

MAX_SCHEMAS = 1_000
"""Of an installation: every replica keeps all of them in memory."""
_ATTEMPTS = 5
_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Trial:
    """A schema held against what stands: how many effective values it is about, and what is wrong with them."""

    checked: Checked
    values: int
    unfit: Some[Unfit]


class SchemaKeeping:
    """Tries, makes, alters and takes away schemas."""

    def __init__(self, schemas: Schemas, book: RuleBook, rules: Rules) -> None:
        self._schemas, self._book, self._rules = schemas, book, rules

    async def attempt(self, new: NewSchema, before: Schema | None = None) -> Trial:
        """Hold a schema against every effective value that there is.

        Raises:
            InvalidError: it is no schema; violations point into the request.
        """
        checker = _checker(new)
        ruling = await self._rules.refresh()
        if before is None and len(ruling.checkers) >= MAX_SCHEMAS:
            raise InvalidError([Violation("", f"the limit of schemas is {MAX_SCHEMAS:,}")])
        stand = await self._book.stand_like(new.pattern, new.app_id)
        values, unfit = await _unfit(checker, ruling, stand.entries)
        version = 0 if before is None else before.version
        identity = uuid4() if before is None else before.id
        return Trial(Checked(identity, new, version, ruling.revision, stand.revision), values, unfit)

    async def put(self, new: NewSchema, by: Attribution, before: Schema | None = None) -> Schema:
        """Make a schema, or let it take the place of the one before.

        Raises:
            UnfitError: an effective value does not fit it.
            TrimtabError: whatever `attempt` and `Schemas.put` raise.
        """
        attempts = _ATTEMPTS
        while True:
            attempts -= 1
            trial = await self.attempt(new, before)
            if trial.unfit.total:
                raise UnfitError(trial.unfit.items, trial.unfit.total)
            try:
                return await self._schemas.put(trial.checked, by)
            except ValuesMovedError:
                if not attempts:
                    raise

    async def get(self, schema_id: UUID) -> Schema:
        """One schema."""
        return await self._schemas.get(schema_id)

    async def list(self, app_id: str | None, *, limit: int, cursor: str | None) -> Page[Schema]:
        """Schemas by application and pattern; `app_id` "" means those of all applications, None any."""
        return await self._schemas.list(app_id, limit=limit, cursor=cursor)

    async def drop(self, schema_id: UUID, version: int | None, by: Attribution) -> None:
        """Take a schema away."""
        await self._schemas.drop(schema_id, version, by)


def _checker(new: NewSchema) -> Checker:
    if wrong := list(pattern_violations("/pattern", new.pattern)):
        raise InvalidError(wrong)
    try:
        return Checker(new.app_id, new.pattern, new.document)
    except InvalidError as error:
        raise InvalidError([replace(each, pointer=f"/schema{each.pointer}") for each in error.violations]) from error


async def _unfit(checker: Checker, ruling: Ruling, standing: Standing) -> tuple[int, Some[Unfit]]:
    fitness, unfit = Fitness([checker]), list[Unfit]()
    values, total, deadline = 0, 0, anyio.current_time() + CHECKING_SECONDS
    for pair, key, each in _effective(checker, ruling, standing):
        values += 1
        for found in fitness.of(*pair, key, each):
            total += 1
            if len(unfit) < MAX_TOLD:
                unfit.append(found)
        if anyio.current_time() > deadline:
            limit = "checking_seconds"
            raise TooLargeError(limit, CHECKING_SECONDS, "seconds for holding values against schemas")
        if values % _AT_ONCE == 0:
            await checkpoint()
    return values, Some(total, tuple(unfit))


def _effective(checker: Checker, ruling: Ruling, standing: Standing) -> Iterator[tuple[tuple[str, str], str, Seen]]:
    layers = {key: Layers(entries) for key, entries in standing.items() if checker.covers(key)}
    for pair in ruling.rules.environments:
        if checker.app_id in {None, pair[0]}:
            for key, each in layers.items():
                if (found := each.seen(pair)) is not None:
                    yield pair, key, found
