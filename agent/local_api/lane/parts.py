"""Requests that are made of parts which came before: clients say the same again but for a query and a body.

The target up to its query and the header block are known by their bytes, so that nothing of them is parsed twice.
"""

import re

from agent.local_api.asked import Asked
from agent.local_api.guard import Guard
from agent.local_api.lane.heads import Heads
from agent.local_api.lane.routes import Route, Routes

MAX_TARGET = 4 * 1024
MAX_BODY = 64 * 1024
MAX_TARGETS = 4_096
"""Targets that are known; then all are forgotten and learnt again."""
_LINE = re.compile(rb"(GET|HEAD|POST) (/[A-Za-z0-9_./-]*)(?:\?([!-\"$-~]*))? HTTP/1\.1")
_OF_QUERIES = bytes(each for each in range(ord("!"), ord("~") + 1) if each != ord("#"))
_LINE_END, _HEAD_END, _VERSION = b"\r\n", b"\r\n\r\n", b" HTTP/1.1\r\n"
_WAIT = b"wait="
_POST = "POST"


class ForeignError(Exception):
    """A request that is not one for the fast lane."""


class _Target:
    """What is asked for, without the query."""

    __slots__ = ("key", "method", "path", "posts", "route")

    def __init__(self, method: str, path: str, route: Route, key: str) -> None:
        self.method, self.path, self.route, self.key = method, path, route, key
        self.posts = method == _POST


class Parts:
    """Reads requests."""

    def __init__(self, routes: Routes, guard: Guard) -> None:
        self._routes, self._heads = routes, Heads(guard)
        self.targets: dict[bytes, _Target] = {}

    def again(self, data: bytes) -> tuple[Route, Asked] | None:
        """The one request that `data` is, if it is one of parts that came before."""
        line, _, rest = data.partition(_VERSION)
        name, _, query = line.partition(b"?")
        target = self.targets.get(name)
        if target is None:
            return None
        block, ended, body = rest.partition(_HEAD_END)
        head = self._heads.known.get(block) if ended else None  # more headers may be on their way
        if head is None or head.length != len(body) or (body and not target.posts):
            return None
        if query and (len(line) > MAX_TARGET or query.translate(None, _OF_QUERIES) or _WAIT in query):
            return None
        return target.route, Asked(target.method, target.path, query.decode(), head.headers, body, target.key)

    def first(self, data: bytes) -> tuple[Route, Asked, int] | None:
        """The first request and how many bytes it has; None if some are missing.

        Raises:
            ForeignError: it is not for us.
        """
        line_end, head_end = data.find(_LINE_END), data.find(_HEAD_END)
        if head_end < 0:
            if len(data) > MAX_TARGET or not _may_begin(data):
                raise ForeignError
            return None
        line = _LINE.fullmatch(data, 0, line_end)
        if line is None or line_end > MAX_TARGET:
            raise ForeignError
        head = self._heads.read(data[line_end + 2 : head_end])
        method, path, query = line.groups(b"")
        target = self._target(method, path)
        if not 0 <= head.length <= (MAX_BODY if target.posts else 0) or _WAIT in query:
            raise ForeignError
        end = head_end + 4 + head.length
        if len(data) < end:
            return None
        body = data[head_end + 4 : end]
        return target.route, Asked(target.method, target.path, query.decode(), head.headers, body, target.key), end

    def _target(self, method: bytes, path: bytes) -> _Target:
        name = method + b" " + path
        known = self.targets.get(name)
        if known is None:
            known = self._found(method, path)
            if len(self.targets) >= MAX_TARGETS:
                self.targets.clear()
            self.targets[name] = known
        return known

    def _found(self, method: bytes, path: bytes) -> _Target:
        found = self._routes.find(path.decode())
        if found is None or found[1][:1] == "." or method not in found[0].methods:
            raise ForeignError
        return _Target(method.decode(), path.decode(), *found)


def _may_begin(data: bytes) -> bool:
    """Whether this can be the beginning of a request of ours."""
    return data[:1] in {b"G", b"H", b"P"}
