"""Whole scopes, out and in: exports as a stream, imports as the one change that they come to."""

import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import TypeAlias

from control_plane.domain.attribution import Attribution
from control_plane.domain.change import Operation
from control_plane.domain.errors import ConflictError, InvalidError, TooLargeError, UnfitError
from control_plane.domain.limits import Limits
from control_plane.domain.transfer import (
    Document,
    Effect,
    Exported,
    OnConflict,
    Place,
    Plan,
    Planner,
    Secrets,
    Standing,
    Wanted,
    pointer_of,
)
from control_plane.ports.registry import Registry
from control_plane.ports.transfer import Transfer
from control_plane.services.documents import Writer, written
from control_plane.services.sealing import NotOurSealError, Sealer
from shared.domain.codec import canonical
from shared.domain.entry import Kind
from shared.domain.scope import Scope
from shared.wire.problem import Violation

_OPERATION = re.compile(r"/operations/([0-9]{1,9})")
Withheld: TypeAlias = Callable[[Scope, str], bool]
"""Whether the value of a config is not for whoever exports."""
MAX_TOLD = 1_000
"""Conflicts that one refusal names."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """An entry of a document whose value is sealed."""

    wanted: Wanted
    seal: str


class Transfers:
    """Exports and imports. `sealer` is None where no seal key is set."""

    def __init__(self, transfer: Transfer, registry: Registry, limits: Limits, sealer: Sealer | None = None) -> None:
        self._transfer, self._registry, self._limits, self._sealer = transfer, registry, limits, sealer

    @asynccontextmanager
    async def export(
        self,
        app_id: str | None,
        secrets: Secrets,
        writer: Writer,
        by: Attribution,
        withheld: Withheld | None = None,
    ) -> AsyncIterator[AsyncIterator[str]]:
        """The pieces of the document of everything, or of one application, read in one instant.

        What is `withheld` from its reader is left out as if it were sensitive.

        Raises:
            InvalidError: sensitive values are to be sealed, and there is no key.
            NotFoundError: the application is not registered.
        """
        sealing = secrets is Secrets.SEAL
        sealer = self._require_sealer("?sensitive") if sealing else None
        async with self._transfer.export(app_id, secrets=sealing, audited={"sensitive": secrets}, by=by) as exported:
            yield written(Exported(exported.installation, exported.revision, _rows(exported, sealer, withheld)), writer)

    async def plan(self, document: Document, sealed: list[Sealed], on_conflict: OnConflict, *, prune: bool) -> Plan:
        """What importing a document comes to, against what stands now.

        Raises:
            InvalidError: a sealed value does not open.
            TooLargeError: more would change than one import may.
        """
        opened = self._open(sealed) if sealed else ()
        document = replace(document, entries=(*document.entries, *opened))
        scopes = document.scopes | {each.scope for each in document.places}
        state = await self._transfer.state(scopes, [(each.scope, each.key) for each in document.entries], rest=prune)
        plan = Planner(document, state, on_conflict, prune).plan()
        if len(plan.operations) > self._limits.import_operations:
            limit = "import_operations"
            raise TooLargeError(limit, self._limits.import_operations, "operations in one import")
        return plan

    def require_agreement(self, plan: Plan) -> None:
        """Refuse a plan with conflicts that nobody decided about.

        Raises:
            ConflictError: there are some; it names them.
        """
        conflicts = plan.of(Effect.CONFLICT)
        if not conflicts:
            return
        told = [
            {"pointer": each.pointer, "scope": str(each.scope), "key": each.key, "detail": each.detail,
             "differs": list(each.differs)}
            for each in conflicts[:MAX_TOLD]
        ]  # fmt: skip
        msg = f"{len(conflicts):,} entries conflict with what stands: set on_conflict to overwrite or keep, or merge."
        raise ConflictError(msg, conflicts=told, count=len(conflicts))

    def require_registered(self, plan: Plan) -> None:
        """Refuse a plan for places that nobody has registered.

        Raises:
            InvalidError: there are some; it points at each.
        """
        if plan.unregistered:
            detail = "this is not registered: register it first, or set create_missing (--create-missing)"
            places = [pointer_of(each.scope).removesuffix("/configs") for each in plan.unregistered]
            raise InvalidError([Violation(each, detail) for each in places[:MAX_TOLD]])

    async def register(self, places: tuple[Place, ...], by: Attribution) -> None:
        """Register what a document names and nobody has registered. Done twice it does no harm."""
        for place in sorted(places, key=lambda each: each.scope.environment or ""):
            app_id, environment = place.scope.app_id or "", place.scope.environment
            try:
                if environment is None:
                    await self._registry.create_app(app_id, place.description, by)
                else:
                    await self._registry.create_environment(app_id, environment, by)
            except ConflictError:  # somebody else was quicker
                continue

    def _open(self, sealed: list[Sealed]) -> Iterator[Wanted]:
        sealer = self._require_sealer(f"{sealed[0].wanted.pointer}/sealed")
        violations, opened = [], []
        for each in sealed:
            wanted = each.wanted
            try:
                opened.append(replace(wanted, value=sealer.open(wanted.scope, wanted.key, each.seal)))
            except NotOurSealError as error:
                violations.append(Violation(f"{wanted.pointer}/sealed", str(error)))
        if violations:
            raise InvalidError(violations)
        return iter(opened)

    def _require_sealer(self, pointer: str) -> Sealer:
        if self._sealer is None:
            detail = "this control plane has no seal key: set TRIMTAB_SEAL_KEY, or leave sensitive values out"
            raise InvalidError([Violation(pointer, detail)])
        return self._sealer


@contextmanager
def pointing(operations: Sequence[Operation]) -> Iterator[None]:
    """Let problems of a draft's operations point into the document that they came from."""
    places = [pointer_of(each.scope, each.key) for each in operations]

    def moved(pointer: str) -> str:
        found = _OPERATION.match(pointer)
        if found is None or int(found[1]) >= len(places):
            return pointer
        return places[int(found[1])] + pointer[found.end() :].removesuffix("/key")

    try:
        yield
    except InvalidError as error:
        error.violations = tuple(Violation(moved(each.pointer), each.detail) for each in error.violations)
        if isinstance(error, UnfitError):
            error.unfit = tuple(replace(each, operation=moved(each.operation)) for each in error.unfit)
        raise
    except TooLargeError as error:
        error.pointer = moved(error.pointer)
        raise
    except ConflictError as error:
        for each in (each for name in ("conflicts", "guards", "rollouts") for each in error.facts.get(name, ())):
            each["pointer"] = moved(each.get("pointer", ""))
        raise


async def _rows(
    exported: Exported, sealer: Sealer | None, withheld: Withheld | None
) -> AsyncIterator[Place | Standing]:
    """The rows without anything in clear that is sensitive: sealed, or nothing at all."""
    async for row in exported.rows:
        if isinstance(row, Place) or row.kind is Kind.MASK:
            yield row
        elif withheld is not None and withheld(row.scope, row.key):
            yield replace(row, value=b"", sensitive=True)
        elif not row.sensitive:
            yield row
        elif sealer is None:
            yield replace(row, value=b"")
        else:
            yield replace(row, value=canonical(sealer.seal(row.scope, row.key, row.value)))
