"""The agent as a whole: which parts there are, in which order they start, and that they stop the other way round."""

import logging
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import anyio
from aiohttp import ClientSession
from anyio.abc import TaskStatus

from agent.files.renderer import Renderer
from agent.local_api.server import serving_local_api
from agent.local_api.view import AgentView, Policy
from agent.ports import Feed
from agent.settings.instance import kept_instance
from agent.settings.load import SettingsError
from agent.settings.model import Settings
from agent.snapshot.last_known_good import FileKeeper
from agent.snapshot.model import Snapshot
from agent.snapshot.own import own_attributes
from agent.snapshot.store import SnapshotStore
from agent.snapshot.usage import Usage
from agent.sync.clockwork import Clockwork
from agent.sync.fallback import Fallback
from agent.sync.health import Health
from agent.sync.outcomes import Outcomes
from agent.sync.proving import Proving
from agent.sync.remarks import Remarks
from agent.sync.reporter import Identity, Reporter
from agent.sync.results import Results
from agent.sync.skew import Skew
from agent.sync.status import Status
from agent.sync.synchronizer import Synchronizer
from agent.sync.witness import Witness
from agent.upstream.amqp import AmqpFeed
from agent.upstream.endpoints import open_session
from agent.upstream.http import HttpSource, SseFeed
from shared.domain.context import Attribute, EvaluationContext
from shared.runtime.clock import SystemClock
from shared.runtime.lifecycle import Worker, running, wait_for_stop_signal
from shared.runtime.listen import Listen

_log = logging.getLogger(__name__)


def agent_version() -> str:
    """The version of what is installed, by its metadata's name: `importlib.metadata` would cost a megabyte."""
    for directory in map(Path, sys.path):
        for found in directory.glob("trimtab-*.dist-info"):
            return found.name.removeprefix("trimtab-").removesuffix(".dist-info")
    return "0+source"


@dataclass(frozen=True, slots=True)
class Parts:
    """What both ways of running have in common, wired."""

    store: SnapshotStore
    status: Status
    clock: SystemClock
    identity: Identity
    keeper: FileKeeper
    source: HttpSource
    synchronizer: Synchronizer
    renderer: Renderer
    usage: Usage
    witness: Witness
    own: Mapping[str, Attribute]
    skew: Skew
    remarks: Remarks
    results: Results


@dataclass(frozen=True, slots=True)
class Proven:
    """Who finds out what the application is well with, and who falls back to it, if we may."""

    proving: Proving
    fallback: Fallback | None

    @property
    def workers(self) -> list[Worker]:
        """Those that run."""
        return [self.proving.run] if self.fallback is None else [self.proving.run, self.fallback.run]


@dataclass(frozen=True, slots=True)
class Life:
    """A whole agent that serves, and where."""

    parts: Parts
    listen: Listen
    proven: Proven | None


async def run_agent(settings: Settings) -> None:
    """Serve what is known, follow the control plane, until SIGTERM or SIGINT.

    Raises:
        AddressInUseError: somebody else listens where we should.
        StateInUseError: another agent keeps its state where we should.
        SettingsError: the override file cannot be taken.
    """
    stop = anyio.Event()
    async with running(_Signals(stop).run), living(settings):
        await stop.wait()
        _log.info("stopping")


@asynccontextmanager
async def living(settings: Settings, *, supervised: bool = False) -> AsyncIterator[Life]:
    """The whole agent, serving and following, until the block ends; with the address that is really listened on.

    `supervised`: the application is our child, so we know how it is even if nobody asks it.

    Raises:
        AddressInUseError, StateInUseError, SettingsError: as above.
    """
    async with _parts(settings) as parts:
        proven = _proven(settings, parts) if supervised or settings.probe is not None else None
        overriding = _overriding(settings, parts)
        parts.synchronizer.hydrate()
        if proven is not None and proven.fallback is not None:
            proven.fallback.resume()
        async with serving_local_api(
            view_of(settings, parts, proven),
            settings.listen,
            local_token=settings.local_token,
            allowed_hosts=settings.allowed_hosts,
            cors_origins=settings.cors_origins,
            socket_mode=settings.socket_mode,
        ) as listen:
            if not listen.local:
                _log.warning("other machines may read here: keep them out", extra={"listen": str(listen)})
            _log.info("serving", extra={"listen": str(listen), "revision": parts.store.current.revision})
            async with running(
                *_probing(settings, parts),
                *overriding,
                *(proven.workers if proven is not None else ()),
                Clockwork(parts.store, parts.clock).run,
                parts.synchronizer.run,
                parts.renderer.run,
                _reporter(parts).run,
            ):
                yield Life(parts, listen, proven)


def _reporter(parts: Parts) -> Reporter:
    return Reporter(
        parts.source,
        parts.store,
        parts.status,
        parts.identity,
        usage=parts.usage,
        witness=parts.witness,
        skew=parts.skew,
        remarks=parts.remarks,
    )


async def render_once(settings: Settings, timeout: float) -> tuple[bool, str]:  # noqa: ASYNC109 - a person's patience
    """Render the files from what the control plane says, or else from the last known good; whether and why not."""
    async with _parts(settings) as parts:
        kept = parts.synchronizer.hydrate()
        fetched = False
        with anyio.move_on_after(timeout):
            async with running(parts.synchronizer.run):
                fetched = await parts.synchronizer.sync_now()
        if not parts.store.ready:
            return False, parts.status.last_error or f"the control plane did not answer within {timeout:g} s"
        if not fetched and kept:
            _log.warning("rendering the last known good", extra={"error": parts.status.last_error})
        complete = await parts.renderer.render()
        failed = "; ".join(f"{each.path}: {each.error}" for each in parts.renderer.files if each.error)
        return complete, failed or f"revision {parts.store.current.revision}"


@asynccontextmanager
async def _parts(settings: Settings) -> AsyncIterator[Parts]:
    clock, status = SystemClock(), Status()
    store = SnapshotStore(Snapshot.empty(settings.app_id, settings.environment))
    with closing(FileKeeper(settings.state_dir, settings.app_id, settings.environment)) as keeper:
        identity = Identity(
            settings.instance or kept_instance(keeper.directory), agent_version(), dict(settings.labels)
        )
        async with open_session(settings.control_plane_urls) as session:
            feeds = _feeds(settings, session, identity.instance)
            source = HttpSource(
                settings.control_plane_urls, settings.token, session, settings.app_id, settings.environment
            )
            synchronizer = Synchronizer(store, feeds, source, keeper, status, clock)
            usage = Usage(clock)
            own = own_attributes(identity.instance, settings.app_id, settings.environment, identity.labels)
            renderer = Renderer(store, settings.all_sets, clock, usage=usage, own=EvaluationContext(attributes=own))
            health = Health(failures=settings.probe_failures)
            witness = Witness(store, health, Outcomes(), clock, EvaluationContext(attributes=own))
            yield Parts(
                store=store,
                status=status,
                clock=clock,
                identity=identity,
                keeper=keeper,
                source=source,
                synchronizer=synchronizer,
                renderer=renderer,
                usage=usage,
                witness=witness,
                own=own,
                skew=Skew(clock),
                remarks=Remarks(clock, lambda: store.applied.revision),
                results=Results(),
            )


def _feeds(settings: Settings, session: ClientSession, instance: str) -> list[Feed]:
    """The ways to hear of changes, the preferred one first."""
    sse = SseFeed(settings.control_plane_urls, settings.token, session, settings.app_id, settings.environment)
    if not settings.amqp_url:
        return [sse]
    return [AmqpFeed(settings.amqp_url, settings.app_id, settings.environment, instance), sse]


def _probing(settings: Settings, parts: Parts) -> list[Worker]:
    """Whoever asks the application how it is, if it is told how to."""
    if settings.probe is None:
        return []
    from agent.probing.prober import Prober  # noqa: PLC0415 - memory that only who is told to probe should pay

    interval, timeout = settings.probe_interval, settings.probe_timeout
    return [Prober(settings.probe, parts.witness, parts.store, interval=interval, timeout=timeout).run]


def _overriding(settings: Settings, parts: Parts) -> list[Worker]:
    """Whoever shows the developer's own file instead of what was applied, if there is one."""
    if settings.override is None:
        return []
    from agent.override.document import OverrideError  # noqa: PLC0415 - nobody pays for it in production
    from agent.override.watching import Overriding  # noqa: PLC0415

    overriding = Overriding(settings.override, parts.store, parts.remarks)
    try:
        overriding.begin()
    except OverrideError as error:
        msg = f"TRIMTAB_AGENT_OVERRIDE: {settings.override}: {error}"
        raise SettingsError(msg) from error
    return [overriding.run]


def _proven(settings: Settings, parts: Parts) -> Proven:
    """Comes before whatever else is put in front of the store: an override stands over a fallback as well."""
    store, health, copy = parts.store, parts.witness.health, parts.keeper.proven
    proving = Proving(store, health, parts.remarks, copy, after=settings.proven_after)
    if not settings.fallback:
        return Proven(proving, None)
    return Proven(
        proving,
        Fallback(store, health, proving, copy, remarks=parts.remarks, clock=parts.clock, after=settings.fallback_after),
    )


def view_of(settings: Settings, parts: Parts, proven: Proven | None) -> AgentView:
    """What the local API shows."""
    return AgentView(
        store=parts.store,
        status=parts.status,
        clock=parts.clock,
        identity=parts.identity,
        sync=parts.synchronizer.sync_now,
        files=parts.renderer.files,
        policy=Policy(settings.max_staleness, settings.require_fresh),
        state_dir=str(parts.keeper.directory),
        usage=parts.usage,
        own=parts.own,
        health=parts.witness.health,
        outcomes=parts.witness.outcomes,
        knows=parts.witness.knows,
        skew=parts.skew,
        remarks=parts.remarks,
        results=parts.results,
        proving=None if proven is None else proven.proving,
        fallback=None if proven is None else proven.fallback,
    )


class _Signals:
    """Listens for SIGTERM and SIGINT from before the first part starts."""

    def __init__(self, stop: anyio.Event) -> None:
        self._stop = stop

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        await wait_for_stop_signal(task_status=task_status)
        self._stop.set()
