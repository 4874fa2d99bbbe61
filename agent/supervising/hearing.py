"""Signals while an application is our child: they are for it, and the end of any child is looked into."""

import signal

import anyio
from anyio.abc import TaskStatus

from agent.supervising.supervisor import Supervisor

FORWARDED = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGWINCH,
)


async def hear(supervisor: Supervisor, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
    """Pass signals on until cancelled."""
    with anyio.open_signal_receiver(signal.SIGCHLD, signal.SIGCONT, *FORWARDED) as signals:
        task_status.started()
        async for number in signals:
            if number == signal.SIGCHLD:
                supervisor.noticed()
            elif number == signal.SIGCONT:
                supervisor.continued()
            else:
                supervisor.signalled(number)
