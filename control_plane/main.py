"""Open resources, build services, start workers, serve; then all of it in reverse."""

import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from control_plane.api.app import build_app
from control_plane.composition.adapters import open_adapters
from control_plane.composition.schema import prepare_schema
from control_plane.composition.services import compose
from control_plane.composition.workers import workers_of
from control_plane.metrics import Metrics
from control_plane.settings.model import Settings
from control_plane.starting import clear_errors, in_event_loop
from shared.runtime.http import Listen, serving
from shared.runtime.lifecycle import running, wait_for_stop_signal

_log = logging.getLogger(__name__)


def run(settings: Settings) -> None:
    """Run a replica until it is told to stop.

    Raises:
        StartError: it cannot start.
    """
    with clear_errors():
        in_event_loop(run_control_plane, settings)


async def run_control_plane(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT.

    SIGHUP is what renewals of certificates send. It changes nothing: new connections look at the files anyway.
    """
    signal.signal(signal.SIGHUP, _go_on)
    async with running_control_plane(settings) as listen:
        _log.info("the control plane is serving", extra={"address": str(listen)})
        await wait_for_stop_signal()
        _log.info("stopping")


def _go_on(_signal: int, _frame: object) -> None:
    """Not `SIG_IGN`, which child processes would inherit."""


@asynccontextmanager
async def running_control_plane(settings: Settings) -> AsyncIterator[Listen]:
    """A replica that serves until the block ends. Enter and leave it in one task."""
    metrics = Metrics()
    await prepare_schema(settings)
    async with open_adapters(settings, metrics) as adapters:
        services = await compose(settings, adapters, metrics)
        workers, listen = workers_of(settings, services, adapters), Listen.parse(settings.listen)
        options, tls = {"crowd": settings.crowd}, settings.tls()
        if tls is None and not listen.local and not settings.trusted_proxies:
            _log.warning(
                "whoever is on the network can read along: set TRIMTAB_TLS_CERTIFICATE_FILE, or a proxy in front"
            )
        serve = serving(build_app(services), listen, grace=settings.shutdown_grace, server_options=options, tls=tls)
        async with running(*workers), serve as served:
            yield served
