"""What is asked of whom: for each path the servers that can answer it, ours first."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from bench.local import goals
from bench.local.clients import CONNECTIONS, Requests, Run, ours, redis_get, wrk
from bench.local.contender import Contender
from bench.local.material import CONTEXT, FLAG, KEY, ONE_OF_THEM, WHO
from bench.local.servers import base64_of
from bench.local.unleash import CLIENT_TOKEN, FRONTEND_TOKEN

_JSON = (("Content-Type", "application/json"),)
_PAGE = "/api/frontend?userId=user-@&properties%5Bcountry%5D=SE&properties%5Bgroup%5D=beta"
_OFREP = "/ofrep/v1/evaluate/flags"
_WHO = f'{{"context":{CONTEXT}}}'

Ask = Callable[[float], Awaitable[Run]]


@dataclass(frozen=True, slots=True)
class Line:
    """One server's way to answer a case."""

    name: str
    ask: Ask


@dataclass(frozen=True, slots=True)
class Cases:
    """Our three agents (one value among a snapshot; 500 flags; the first again on a unix socket), and whoever else is here."""

    plain: Contender
    flagged: Contender
    unix: Contender
    others: Mapping[str, Contender]

    def all(self) -> dict[str, list[Line]]:
        """By path."""
        return {
            goals.VALUE: self._value(CONNECTIONS),
            goals.ONE_CONNECTION: self._value(1),
            goals.SOCKETS: self._sockets(CONNECTIONS),
            goals.ONE_SOCKET: self._sockets(1),
            goals.EVALUATION: self._evaluation(),
            goals.BULK: self._bulk(),
            goals.BULK_AGAIN: self._bulk_again(),
            goals.SNAPSHOT: self._snapshot(),
        }

    def _value(self, connections: int) -> list[Line]:
        etcd = _post("/v3/kv/range", f'{{"key":"{base64_of(KEY.encode())}"}}')
        return [
            Line(goals.OURS, _http(Requests(f"/v1/values/{KEY}"), connections)(self.plain)),
            *self._by("nginx", goals.NGINX, _http(Requests("/value"), connections)),
            *self._by("redis", goals.REDIS, _redis("value", connections)),
            *self._by("etcd", goals.ETCD, _http(etcd, connections)),
            *self._by("consul", "Consul, KV", _http(Requests(f"/v1/kv/{KEY}?raw"), connections)),
        ]

    def _sockets(self, connections: int) -> list[Line]:
        path = f"/v1/values/{KEY}"
        return [
            Line(goals.BY_TCP, _own(path, connections, unix=False)(self.plain)),
            Line(goals.BY_UNIX, _own(path, connections, unix=True)(self.unix)),
            *self._by("nginx", "nginx, TCP", _own("/value", connections, unix=False)),
            *self._by("nginx", "nginx, unix socket", _own("/value", connections, unix=True)),
        ]

    def _evaluation(self) -> list[Line]:
        by_post = _post("/v1/evaluate", f'{{"keys":["{FLAG}"],"context":{CONTEXT}}}')
        return [
            Line(goals.BY_GET, _http(Requests(f"/v1/configs/{FLAG}?{WHO}"))(self.flagged)),
            Line(goals.BY_POST, _http(by_post)(self.flagged)),
            Line(goals.BY_OFREP, _http(_post(f"{_OFREP}/{FLAG}", _WHO))(self.flagged)),
            *self._by("nginx", goals.NGINX, _http(Requests("/value"))),
            *self._by("flagd", "flagd, OFREP", _http(_post(f"{_OFREP}/{FLAG}", _WHO))),
        ]

    def _bulk(self) -> list[Line]:
        page = Requests(_PAGE, headers=(("Authorization", FRONTEND_TOKEN),))
        return [
            Line(goals.BY_POST, _http(_post("/v1/evaluate", _WHO))(self.flagged)),
            Line(goals.BY_OFREP, _http(_post(_OFREP, _WHO))(self.flagged)),
            *self._by("unleash", goals.UNLEASH, _http(page)),
            *self._by("unleash-edge", "Unleash Edge, frontend API", _http(page)),
            *self._by("flagd", "flagd, OFREP", _http(_post(_OFREP, _WHO))),
        ]

    def _bulk_again(self) -> list[Line]:
        """As a server asks that evaluates for itself, or one user's page that is loaded again."""
        who = _WHO.replace("@", ONE_OF_THEM)
        page = Requests(_PAGE.replace("@", ONE_OF_THEM), headers=(("Authorization", FRONTEND_TOKEN),))
        return [
            Line(goals.BY_GET, _http(Requests(f"/v1/configs?{WHO}".replace("@", ONE_OF_THEM)))(self.flagged)),
            Line(goals.BY_POST, _http(_post("/v1/evaluate", who))(self.flagged)),
            Line(goals.BY_OFREP, _http(_post(_OFREP, who))(self.flagged)),
            *self._by("unleash", goals.UNLEASH, _http(page)),
            *self._by("unleash-edge", "Unleash Edge, frontend API", _http(page)),
        ]

    def _snapshot(self) -> list[Line]:
        features = Requests("/api/client/features", headers=(("Authorization", CLIENT_TOKEN),))
        return [
            Line(goals.OURS, _http(Requests("/v1/configs"))(self.plain)),
            *self._by("nginx", goals.NGINX, _http(Requests("/snapshot"))),
            *self._by("redis", goals.REDIS, _redis("snapshot", CONNECTIONS)),
            *self._by("unleash", "Unleash, client API (500 flags)", _http(features)),
        ]

    def _by(self, who: str, name: str, how: Callable[[Contender], Ask]) -> list[Line]:
        """A line, if that one is here."""
        return [Line(name, how(self.others[who]))] if who in self.others else []


def _http(requests: Requests, connections: int = CONNECTIONS) -> Callable[[Contender], Ask]:
    return lambda server: lambda seconds: wrk(server, requests, seconds, connections)


def _own(path: str, connections: int, *, unix: bool) -> Callable[[Contender], Ask]:
    return lambda server: lambda seconds: ours(server, path, seconds, connections, unix=unix)


def _redis(key: str, connections: int) -> Callable[[Contender], Ask]:
    return lambda server: lambda seconds: redis_get(server, key, seconds, connections)


def _post(path: str, body: str) -> Requests:
    return Requests(path, body, _JSON)
