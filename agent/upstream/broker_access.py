"""Our own credential for the broker: asked of the control plane, shown to the broker, renewed while we listen.

It is needed where the broker's URL names no user. The broker reads in it what we may do and until when. A new one is
shown on the open connection, so listening goes on.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskStatus

from agent.ports import UpstreamRefusedError, UpstreamUnavailableError
from agent.upstream.answers import read
from agent.upstream.endpoints import Endpoints
from shared.domain.codec import MalformedJsonError, decode, encode
from shared.runtime.retry import Backoff

if TYPE_CHECKING:
    from aio_pika.abc import AbstractConnection

MAX_ANSWER = 64 * 1024
RENEW_AFTER = 2 / 3
"""Of its life, after which a credential is renewed: a third is left to try again."""
LEAST_LIFE = 5.0
"""Seconds; a control plane that says less is not asked more often."""
UPDATE_TIMEOUT = 5.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Login:
    """What the broker is shown. It is good until `until`, and renewed at `renew_at`, on anyio's clock."""

    username: str
    password: str = field(repr=False)
    renew_at: float
    until: float


class BrokerAccess:
    """Gets credentials for one agent, and shows the connection that is open the newest."""

    def __init__(self, endpoints: Endpoints, app_id: str, environment: str, instance: str) -> None:
        self._endpoints = endpoints
        self._path = f"api/v1/apps/{app_id}/environments/{environment}/broker-credentials"
        self._body = encode({"instance": instance})
        self._login: Login | None = None
        self._connection: AbstractConnection | None = None
        self._changed = anyio.Event()

    async def login(self) -> Login:
        """A credential that is fresh enough to log in with.

        Raises:
            UpstreamUnavailableError: nobody issues one now.
            UpstreamRefusedError: we get none.
        """
        if self._login is None or anyio.current_time() >= self._login.renew_at:
            self._login = await self._ask()
        return self._login

    def forget(self) -> None:
        """The broker did not like it: get another one next time."""
        self._login = None

    @contextmanager
    def shown_on(self, connection: "AbstractConnection") -> Iterator[None]:
        """Keep this connection's credential fresh until the block ends."""
        self._attach(connection)
        try:
            yield
        finally:
            self._attach(None)

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Renew in time, until cancelled."""
        task_status.started()
        backoff = Backoff(base=1.0, cap=15.0)
        while True:
            connection = await self._due()
            try:
                await self._renew(connection)
                backoff.reset()
            except UpstreamRefusedError as error:
                # Nobody would let us in again: what goes on beyond our right to it is not for us to use.
                _log.warning("no more access to the broker", extra={"error": str(error)})
                self.forget()
                await self._leave(connection)
            except UpstreamUnavailableError as error:
                _log.info("the broker's credential is not renewed yet", extra={"error": str(error)})
                await anyio.sleep(backoff.next(error.retry_after))

    def _attach(self, connection: "AbstractConnection | None") -> None:
        self._connection = connection
        self._changed.set()
        self._changed = anyio.Event()

    async def _due(self) -> "AbstractConnection":
        """The connection whose credential has to be renewed now."""
        while True:
            connection, login, changed = self._connection, self._login, self._changed
            if connection is None or login is None:
                await changed.wait()
                continue
            with anyio.move_on_after(login.renew_at - anyio.current_time()):
                await changed.wait()
                continue
            return connection

    async def _renew(self, connection: "AbstractConnection") -> None:
        self._login = await self._ask()
        if connection is not self._connection:
            return
        try:
            with anyio.fail_after(UPDATE_TIMEOUT):
                await connection.update_secret(self._login.password, reason="renewed")
        except Exception as error:  # noqa: BLE001 - the library has many; whoever follows learns of a broken connection
            _log.warning("the broker did not take the new credential", extra={"error": type(error).__name__})
            await self._leave(connection)

    async def _leave(self, connection: "AbstractConnection") -> None:
        with anyio.move_on_after(UPDATE_TIMEOUT):
            await connection.close()
        if self._connection is connection:
            self._attach(None)

    async def _ask(self) -> Login:
        now = anyio.current_time()
        async with self._endpoints.request("POST", self._path, body=self._body) as response:
            try:
                answer = decode(await read(response, MAX_ANSWER))
                life = max(float(answer["expires_in"]), LEAST_LIFE)
                return Login(str(answer["username"]), str(answer["password"]), now + life * RENEW_AFTER, now + life)
            except (MalformedJsonError, LookupError, TypeError, ValueError, AttributeError) as error:
                msg = "the control plane's credential for the broker cannot be read"
                raise UpstreamUnavailableError(msg) from error
