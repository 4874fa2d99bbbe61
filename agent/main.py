"""The agent as a whole: which parts there are, in which order they start, and that they stop the other way round."""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
from anyio.abc import TaskStatus

from agent.life.reloading import Origin, Reloading
from agent.life.service_manager import ServiceManager, Telling
from agent.life.taking import Taking
from agent.local_api.freshness import Freshness
from agent.local_api.server import serving_local_api
from agent.local_api.view import AgentView, Policy
from agent.parts import Parts, assembled
from agent.probing.probing import Probing
from agent.settings.load import SettingsError
from agent.settings.model import Settings
from agent.sync.clockwork import Clockwork
from agent.sync.fallback import Fallback
from agent.sync.proving import Proving
from agent.sync.reporter import Reporter
from agent.upstream.amqp import AmqpFeed
from shared.runtime.lifecycle import Worker, running, wait_for_stop_signal
from shared.runtime.listen import Listen

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Proven:
    """Who finds out what the application is well with, and who falls back to it, if we may."""

    proving: Proving
    fallback: Fallback


@dataclass(frozen=True, slots=True)
class Life:
    """A whole agent that serves, and where."""

    parts: Parts
    listen: Listen
    proven: Proven
    manager: ServiceManager


async def run_agent(settings: Settings, origin: Origin | None = None) -> None:
    """Serve what is known, follow the control plane, until SIGTERM or SIGINT.

    Raises:
        AddressInUseError: somebody else listens where we should.
        StateInUseError: another agent keeps its state where we should.
        SettingsError: the override file cannot be taken.
    """
    stop = anyio.Event()
    async with running(_Signals(stop).run), living(settings, origin) as life:
        await stop.wait()
        _log.info("stopping")
        life.manager.stopping()


@asynccontextmanager
async def living(settings: Settings, origin: Origin | None = None, *, by_signal: bool = True) -> AsyncIterator[Life]:
    """The whole agent, serving and following, until the block ends; with the address that is really listened on.

    `origin` is where the settings came from, if they may change; `by_signal`: SIGHUP says so.

    Raises:
        AddressInUseError, StateInUseError, SettingsError: as above.
    """
    async with assembled(settings) as parts:
        proven = _proven(settings, parts)
        overriding = _overriding(settings, parts)
        parts.synchronizer.hydrate()
        proven.fallback.resume()
        view, probing = view_of(settings, parts, proven), _probing(settings, parts)
        manager = ServiceManager(os.environ, parts.clock)
        takers = _taking(parts, view, probing, proven).takers()
        reloading = Reloading(
            settings,
            origin,
            takers,
            remarks=parts.remarks,
            manager=manager,
            by_signal=by_signal,
            asked=parts.renderer.again,
        )
        async with serving_local_api(
            view,
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
                parts.enrolment.run,
                parts.trust.run,
                probing.run,
                parts.secrets.run,
                *overriding,
                proven.proving.run,
                proven.fallback.run,
                Clockwork(parts.store, parts.clock).run,
                *(each.run for each in parts.feeds if isinstance(each, AmqpFeed)),
                parts.synchronizer.run,
                parts.renderer.run,
                _reporter(parts).run,
                reloading.run,
                *_telling(parts, view, manager),
            ):
                yield Life(parts, listen, proven, manager)


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
    async with assembled(settings) as parts:
        kept = parts.synchronizer.hydrate()
        fetched = False
        await parts.enrolment.begin()
        with anyio.move_on_after(timeout):
            async with running(parts.synchronizer.run):
                fetched = await parts.synchronizer.sync_now()
        if not parts.store.ready:
            return False, parts.status.last_error or f"the control plane did not answer within {timeout:g} s"
        if not fetched and settings.require_fresh:
            why = parts.status.last_error or f"the control plane did not answer within {timeout:g} s"
            return False, f"only what the control plane says now counts here (require_fresh): {why}"
        if not fetched and kept:
            _log.warning("rendering the last known good", extra={"error": parts.status.last_error})
        async with running(parts.secrets.run):
            await parts.secrets.settled()
        complete = await parts.renderer.render()
        told = [f"{each.name}: {each.detail}" for each in parts.renderer.sets if each.detail]
        return complete, "; ".join([*told] if not complete else [f"revision {parts.store.current.revision}", *told])


def _probing(settings: Settings, parts: Parts) -> Probing:
    """Whoever asks the application how it is, if it is told how to."""
    probing = Probing(parts.witness, parts.store)
    probing.aim(settings.probe, interval=settings.probe_interval, timeout=settings.probe_timeout)
    return probing


def _telling(parts: Parts, view: AgentView, manager: ServiceManager) -> list[Worker]:
    """Whoever tells the service manager how we are, if there is one."""
    if not manager.listens:
        return []
    freshness = Freshness(parts.store, parts.status, parts.clock, view.policy, view.rendered)
    return [Telling(manager, parts.store, parts.status, freshness, parts.remarks).run]


def _taking(parts: Parts, view: AgentView, probing: Probing, proven: Proven) -> Taking:
    return Taking(
        view=view,
        own=parts.own,
        enrolment=parts.enrolment,
        feeds=parts.feeds,
        renderer=parts.renderer,
        probing=probing,
        proving=proven.proving,
        fallback=proven.fallback,
    )


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
    fallback = Fallback(
        store,
        health,
        proving,
        copy,
        remarks=parts.remarks,
        clock=parts.clock,
        after=settings.fallback_after,
        enabled=settings.fallback,
    )
    return Proven(proving, fallback)


def view_of(settings: Settings, parts: Parts, proven: Proven) -> AgentView:
    """What the local API shows."""
    return AgentView(
        store=parts.store,
        status=parts.status,
        clock=parts.clock,
        identity=parts.identity,
        sync=parts.synchronizer.sync_now,
        rendered=parts.renderer,
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
        proving=proven.proving,
        fallback=proven.fallback,
    )


class _Signals:
    """Listens for SIGTERM and SIGINT from before the first part starts."""

    def __init__(self, stop: anyio.Event) -> None:
        self._stop = stop

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        await wait_for_stop_signal(task_status=task_status)
        self._stop.set()
