"""`/healthz`, `/readyz`, `/status`, `POST /v1/sync` and `POST /v1/fallback/end`: for orchestration and for people."""

import anyio

from agent.local_api.asked import Asked
from agent.local_api.errors import ProblemError
from agent.local_api.freshness import Freshness
from agent.local_api.reply import Reply, fresh
from agent.local_api.view import AgentView, FileView, SetView
from agent.snapshot.misunderstood import misunderstood
from agent.sync.fallback import KIND as FALLBACK
from agent.sync.health import Health
from agent.sync.skew import Skew
from shared.domain.codec import Json
from shared.wire.problem import Problem, ProblemType

SYNC_PATIENCE = 10.0
"""Seconds that a forced resync may take before its caller is told that it did not work."""


class Probes:
    """The faces. Alive means that the loop answers; ready means that there is a snapshot, and what policy adds."""

    def __init__(self, view: AgentView, freshness: Freshness) -> None:
        self._view, self._freshness = view, freshness
        self._started = view.clock.monotonic()

    def healthz(self, _asked: Asked) -> Reply:
        """Alive."""
        return fresh({"status": "alive"})

    def readyz(self, _asked: Asked) -> Reply:
        """Ready to be asked, or why not."""
        state = {"state": self._view.status.state, "revision": self._view.store.current.revision}
        if reason := self._freshness.unready():
            raise ProblemError(Problem(ProblemType.NOT_READY, reason, retry_after=1, extensions=state))
        return fresh({"status": "ready"} | state | self._loudly())

    def _loudly(self) -> dict[str, Json]:
        """What nobody who asks may miss."""
        return {each.kind: each.detail for each in self._view.remarks.current if each.kind == FALLBACK}

    def end_fallback(self, _asked: Asked) -> Reply:
        """By hand: show what is applied again."""
        fallback = self._view.fallback
        ended = fallback is not None and fallback.end("somebody said so")
        return fresh({"ended": ended, "revision": self._view.store.current.revision})

    async def sync(self) -> Reply:
        """Fetch now, whatever was heard."""
        agreed = False
        with anyio.move_on_after(SYNC_PATIENCE):
            agreed = await self._view.sync()
        status = self._view.status
        if not agreed:
            detail = f"The control plane could not be asked: {status.last_error or 'it does not answer'}."
            state = {"state": status.state, "revision": self._view.store.current.revision}
            raise ProblemError(Problem(ProblemType.UNAVAILABLE, detail, retry_after=1, extensions=state))
        return fresh({"revision": self._view.store.current.revision, "state": status.state})

    def status(self, _asked: Asked) -> Reply:
        """Everything at a glance."""
        return fresh(self.document())

    def document(self) -> dict[str, Json]:
        """The status as a document."""
        view, status, snapshot = self._view, self._view.status, self._view.store.current
        now, reason, age = view.clock.monotonic(), self._freshness.unready(), self._freshness.staleness()
        return {
            "app_id": snapshot.app_id,
            "environment": snapshot.environment,
            "instance": view.identity.instance,
            "version": view.identity.agent_version,
            "labels": dict(view.identity.labels),
            "ready": not reason,
            "reason": reason,
            "state": status.state,
            "transport": status.transport,
            "connected": status.connected,
            "revision": snapshot.revision,
            "applied_revision": view.store.applied.revision,
            "revisions": dict(snapshot.revisions.by_level()),
            "upstream_revision": status.upstream_revision,
            "configs": len(snapshot.effective),
            "applied_at": status.applied_at,
            "staleness_seconds": None if age is None else round(age, 3),
            "last_heard_seconds_ago": None if status.last_heard is None else round(now - status.last_heard, 3),
            "last_error": status.last_error,
            "rejection": status.rejection,
            "unsupported": {"configs": len(snapshot.program.unsupported), "last": misunderstood(snapshot)},
            "remarks": view.remarks.current,
            "clock_skew": skew_view(view.skew),
            "last_known_good": {"directory": view.state_dir, "error": status.keep_error},
            "proven": _proven(view),
            "application": _application(view.health),
            "outcomes": {"counted": view.outcomes.counted, "dropped": view.outcomes.dropped},
            "file_sets": [_file_set(each) for each in view.sets],
            "files": [_file(each) for each in view.files],
            "counters": {
                "applied": status.applied,
                "resyncs": status.resyncs,
                "gaps": status.gaps,
                "rejections": status.rejections,
                "reconnects": status.reconnects,
                "malformed": status.malformed,
                "keep_failures": status.keep_failures,
            },
            "uptime_seconds": round(now - self._started, 3),
        }


def _proven(view: AgentView) -> Json:
    """What the application was well with; null where nobody asks it."""
    if (proving := view.proving) is None:
        return None
    return {
        "revision": None if proving.proof is None else proving.proof.revision,
        "error": proving.error,
        "fallback": view.fallback is not None and view.fallback.active,
    }


def skew_view(skew: Skew) -> Json:
    """How far this clock is from the control plane's; null until it was measured."""
    if (reading := skew.reading) is None:
        return None
    return {"seconds": reading.seconds, "uncertainty": reading.uncertainty, "suspicious": reading.suspicious}


def _application(health: Health) -> Json:
    """How the application is; null where nobody asks it."""
    if not health.probes:
        return None
    return {
        "condition": health.condition,
        "since_ms": health.since_ms,
        "detail": health.detail,
        "probes": health.probes,
        "failed": health.failed,
    }


def _file_set(file_set: SetView) -> Json:
    return {
        "name": file_set.name,
        "phase": file_set.phase,
        "revision": file_set.revision,
        "generation": file_set.generation,
        "detail": file_set.detail,
        "drifted": file_set.drifted,
        "last_change_at": file_set.last_change_at,
    }


def _file(file: FileView) -> Json:
    return {
        "path": file.path,
        "format": file.format,
        "revision": file.revision,
        "rendered_at": file.rendered_at,
        "size": file.size,
        "writes": file.writes,
        "failures": file.failures,
        "error": file.error,
    }
