"""The agent's parts, wired: what serving and rendering once have in common. Who runs, and when, is `main`'s business."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from ssl import SSLContext

from aiohttp import ClientSession

from agent.files.renderer import Renderer
from agent.life.secret_places import SecretPlaces
from agent.ports import Feed
from agent.secrets.secrets import Secrets
from agent.settings.instance import kept_instance
from agent.settings.load import SettingsError
from agent.settings.model import Settings
from agent.snapshot.last_known_good import FileKeeper
from agent.snapshot.model import Snapshot
from agent.snapshot.own import own_attributes
from agent.snapshot.store import SnapshotStore
from agent.snapshot.usage import Usage
from agent.sync.health import Health
from agent.sync.outcomes import Outcomes
from agent.sync.remarks import Remarks
from agent.sync.reporter import Identity
from agent.sync.results import Results
from agent.sync.skew import Skew
from agent.sync.status import Status
from agent.sync.synchronizer import Synchronizer
from agent.sync.witness import Witness
from agent.trust.keyring import Keyring
from agent.trust.trust import Trust
from agent.upstream.amqp import AmqpFeed
from agent.upstream.broker_access import BrokerAccess
from agent.upstream.endpoints import Endpoints, open_session, speaks_tls
from agent.upstream.enrolment import Enrolment
from agent.upstream.http import HttpSource, SseFeed
from agent.upstream.shown import Shown
from shared.domain.context import Attribute, EvaluationContext
from shared.runtime.clock import SystemClock
from shared.runtime.tls import client_context


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
    own: dict[str, Attribute]
    feeds: list[Feed]
    skew: Skew
    remarks: Remarks
    results: Results
    secrets: Secrets
    enrolment: Enrolment
    trust: Trust


@asynccontextmanager
async def assembled(settings: Settings) -> AsyncIterator[Parts]:
    """All parts, of which none runs yet.

    Raises:
        StateInUseError: another agent keeps its state where we should.
        SettingsError: the files for TLS cannot be used.
    """
    clock, status = SystemClock(), Status()
    store = SnapshotStore(Snapshot.empty(settings.app_id, settings.environment))
    with closing(
        FileKeeper(settings.state_dir, settings.app_id, settings.environment, settings.state_key_file)
    ) as keeper:
        identity = Identity(
            settings.instance or kept_instance(keeper.directory), agent_version(), dict(settings.labels)
        )
        tls = _tls(settings)
        async with open_session(tls) as session:
            remarks, results = Remarks(clock, lambda: store.applied.revision), Results()
            upstream = _Upstream(settings, session, tls, identity.instance)
            trust = Trust(Keyring(keeper.directory, settings.signing_keys), upstream.endpoints(), status, remarks)
            feeds, source = upstream.feeds(trust), upstream.source(trust)
            synchronizer = Synchronizer(store, feeds, source, keeper, status, clock)
            trust.refused = synchronizer.doubted
            usage = Usage(clock)
            own = own_attributes(identity.instance, settings.app_id, settings.environment, identity.labels)
            renderer = Renderer(
                store,
                settings.all_sets,
                clock,
                keeper.directory,
                usage=usage,
                own=EvaluationContext(attributes=own),
                remarks=remarks,
                results=results,
            )
            secrets = _secrets(settings, store, remarks, clock)
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
                feeds=feeds,
                skew=Skew(clock),
                remarks=remarks,
                results=results,
                secrets=secrets,
                enrolment=upstream.enrolment(),
                trust=trust,
            )


class _Upstream:
    """The control plane as its several callers see it: a replica each, and all show it the same credential."""

    def __init__(self, settings: Settings, session: ClientSession, tls: SSLContext | None, instance: str) -> None:
        self._settings, self._session, self._tls, self._instance = settings, session, tls, instance
        self._shown = Shown(settings.token)

    def endpoints(self) -> Endpoints:
        return Endpoints(self._settings.control_plane_urls, self._shown, self._session)

    def enrolment(self) -> Enrolment:
        asked_with = Shown(self._settings.token)
        endpoints = Endpoints(self._settings.control_plane_urls, asked_with, self._session)
        return Enrolment(endpoints, asked_with, self._shown, self._instance)

    def source(self, trust: Trust) -> HttpSource:
        return HttpSource(self.endpoints(), self._settings.app_id, self._settings.environment, trust=trust)

    def feeds(self, trust: Trust) -> list[Feed]:
        """The ways to hear of changes, the preferred one first."""
        scope = self._settings.app_id, self._settings.environment
        sse = SseFeed(self.endpoints(), *scope, trust=trust)
        if not self._settings.amqp_url:
            return [sse]
        access = BrokerAccess(self.endpoints(), *scope, self._instance)
        return [AmqpFeed(self._settings.amqp_url, *scope, self._instance, access, trust=trust, tls=self._tls), sse]


def _tls(settings: Settings) -> SSLContext | None:
    """What checks certificates, and shows ours; None where nobody is called over TLS, who does not pay for it."""
    if not (speaks_tls([*settings.control_plane_urls, settings.amqp_url]) or settings.ca_file):
        return None
    try:
        return client_context(settings.ca_file, settings.certificate_file, settings.key_file)
    except (OSError, ValueError) as error:
        named = [each for each in (settings.ca_file, settings.certificate_file, settings.key_file) if each]
        msg = f"TLS cannot be used with {', '.join(map(str, named)) or 'the certificates of this machine'}: {error}"
        raise SettingsError(msg) from error


def _secrets(settings: Settings, store: SnapshotStore, remarks: Remarks, clock: SystemClock) -> Secrets:
    """Whoever completes what readers see, last of all: what an override refers to is looked up as well."""
    places = SecretPlaces(settings, os.environ, clock)
    refresh, max_stale = settings.secret_refresh, settings.secret_max_stale
    secrets = Secrets(store, remarks, places, places.close, refresh=refresh, max_stale=max_stale)
    store.completed_by(secrets)
    return secrets
