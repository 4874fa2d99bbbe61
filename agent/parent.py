"""The agent as the application's parent (`exec`): all of the agent, and the application as its child."""

import logging
from pathlib import Path

import anyio
import anyio.to_thread

from agent.life.reloading import Origin
from agent.local_api.freshness import Freshness
from agent.local_api.view import Policy
from agent.main import living
from agent.parts import Parts
from agent.settings.model import Settings
from agent.supervising.changes import Changes
from agent.supervising.environment import Environment
from agent.supervising.hearing import hear
from agent.supervising.plan import OnChange, Plan, Selection
from agent.supervising.supervisor import Supervisor
from shared.domain.context import EvaluationContext
from shared.runtime.lifecycle import running
from shared.runtime.listen import Listen

URL_VARIABLE = "TRIMTAB_AGENT_URL"
"""Where the application finds the agent: the one variable of ours that it gets."""

_log = logging.getLogger(__name__)


async def exec_agent(settings: Settings, command: tuple[str, ...], origin: Origin | None = None) -> int:
    """Serve, run the command, and end as it ends; the exit code is the command's.

    Raises:
        AddressInUseError, StateInUseError, SettingsError: as `run_agent`.
    """
    async with living(settings, origin, by_signal=False) as life:
        parts, plan = life.parts, plan_of(settings)
        gate = _Gate(settings, parts)
        supervisor = Supervisor(
            command,
            plan,
            _changes(parts, plan, command, life.listen),
            remarks=parts.remarks,
            clock=parts.clock,
            health=parts.witness.health if settings.probe is None else None,
            well=gate.well,
            fall_back=life.proven.fallback.now,
        )
        async with running(lambda task_status: hear(supervisor, task_status=task_status)):
            code = await supervisor.run(gate.until_open, gate.why_closed)
        _log.info("the command ended", extra={"code": code})
        life.manager.stopping()
        return code


def plan_of(settings: Settings) -> Plan:
    """How the command is run."""
    selection = Selection(
        settings.exec_prefixes, settings.exec_strip_prefix, settings.exec_renames, settings.exec_inherit
    )
    return Plan(
        selection=selection,
        on_change=OnChange(settings.exec_on_change),
        change_signal=settings.exec_signal,
        quiet=settings.exec_quiet,
        max_wait=settings.exec_max_wait,
        kill_signal=settings.exec_kill_signal,
        kill_timeout=settings.exec_kill_timeout,
        settle=settings.exec_settle,
        tries=settings.exec_tries,
        backoff=settings.exec_backoff,
        ready_timeout=settings.exec_ready_timeout,
    )


def _changes(parts: Parts, plan: Plan, command: tuple[str, ...], listen: Listen) -> Changes:
    url = f"unix:{listen.path}" if listen.path else f"http://{listen}"
    own = EvaluationContext(attributes=parts.own)
    environment = Environment(plan.selection, own, command, {URL_VARIABLE: url})
    return Changes(
        environment, parts.store, parts.clock, parts.remarks, parts.usage, quiet=plan.quiet, max_wait=plan.max_wait
    )


class _Gate:
    """What the command waits for: that the agent is ready, and that its files are there."""

    def __init__(self, settings: Settings, parts: Parts) -> None:
        self._parts = parts
        policy = Policy(settings.max_staleness, settings.require_fresh)
        self._freshness = Freshness(parts.store, parts.status, parts.clock, policy)

    async def until_open(self) -> None:
        """Wait."""
        stirred = anyio.Event()

        def stir(*_: object) -> None:
            stirred.set()

        with self._parts.store.subscribe(stir), self._parts.status.observe(stir):
            while self._freshness.unready() or not await self._files():
                await stirred.wait()
                stirred = anyio.Event()

    def why_closed(self) -> str:
        """What is missing; empty if nothing is."""
        broken = [f"{each.name}: {each.detail}" for each in self._parts.renderer.sets if each.detail and not each.good]
        return self._freshness.unready() or "; ".join(broken)

    async def _files(self) -> bool:
        """Those of before count as well: a program was well with them. Hooks that need the command fail until it runs."""
        renderer = self._parts.renderer
        if await renderer.render():
            return True
        return await anyio.to_thread.run_sync(lambda: all(Path(each.path).exists() for each in renderer.files))

    def well(self) -> None:
        """The command runs: what was refused because it did not is tried again."""
        if not all(each.good for each in self._parts.renderer.sets):
            self._parts.renderer.again()
