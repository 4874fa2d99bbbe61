"""One request after it was checked: what a handler gets to see."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar
from uuid import UUID

from aiohttp import web

from control_plane.domain.access.permission import Permission
from control_plane.domain.access.principal import Principal
from control_plane.domain.access.reach import Place
from control_plane.domain.attribution import Attribution, Source
from control_plane.domain.errors import InvalidError, NotFoundError
from control_plane.domain.limits import Limits
from control_plane.services.access import require_permission
from shared.domain.codec import Json, encode
from shared.domain.scope import is_name
from shared.runtime.http import REQUEST_ID
from shared.wire.problem import Violation

ADDRESS = web.RequestKey("address", str)

B = TypeVar("B")
Q = TypeVar("Q")

DEFAULT_PAGE = 100
_MAX_REVISION = 2**63 - 1
_UUID_LENGTH = 36
_USER_AGENT_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Call(Generic[B, Q]):
    """A checked request: who calls, the body and the query as models, and the names in the path."""

    request: web.Request
    principal: Principal
    body: B
    query: Q
    raw: bytes
    limits: Limits
    idempotency_key: str | None = None

    @property
    def app_id(self) -> str:
        """The application in the path."""
        return app_in(self.request)

    @property
    def environment(self) -> str:
        """The environment in the path."""
        return environment_in(self.request)

    @property
    def revision(self) -> int:
        """The revision in the path."""
        return self.number("change", "change")

    def number(self, variable: str, kind: str) -> int:
        """A number in the path, by which a thing of this kind is known."""
        text = self.request.match_info[variable]
        if not (text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= _MAX_REVISION):  # noqa: PLR2004 - 64 bits
            raise NotFoundError(kind, text)
        return int(text)

    @property
    def version(self) -> int:
        """The version in the path."""
        kind, text = "version", self.request.match_info["version"]
        if not (text.isascii() and text.isdecimal() and len(text) < 20 and 0 < int(text) <= _MAX_REVISION):  # noqa: PLR2004 - 64 bits
            raise NotFoundError(kind, text)
        return int(text)

    @property
    def change(self) -> int | UUID:
        """The change in the path: a committed one by its revision, any one by its id."""
        if "-" in self.request.match_info["change"]:
            return self.id("change", "change")
        return self.revision

    def id(self, kind: str, variable: str = "id") -> UUID:
        """The id in the path, of a thing of this kind."""
        text = self.request.match_info[variable]
        try:
            found = UUID(text)
        except ValueError as error:
            raise NotFoundError(kind, text) from error
        if len(text) != _UUID_LENGTH:  # the library reads other spellings too; a thing has one address
            raise NotFoundError(kind, text)
        return found

    def page_size(self, asked: int | None) -> int:
        """How many items to answer with."""
        if asked is not None and asked > self.limits.page_size:
            raise InvalidError([Violation("?limit", f"the limit page_size is {self.limits.page_size}")])
        return asked or min(DEFAULT_PAGE, self.limits.page_size)

    @property
    def request_hash(self) -> bytes:
        """What makes two requests the same one: method, path, caller and body."""
        parts = (self.request.method, self.request.path, self.principal.id)
        return hashlib.sha256("\n".join(parts).encode() + b"\n" + self.raw).digest()

    @property
    def request_id(self) -> str:
        """The id under which logs and problems speak of this request."""
        return str(self.request.get(REQUEST_ID, ""))

    @property
    def address(self) -> str:
        """From where the request came."""
        return address_of(self.request)

    def require(self, permission: Permission, *places: Place) -> None:
        """Let the caller pass if it may do this to all of these places.

        Raises:
            ForbiddenError: it may not.
        """
        require_permission(self.principal, permission, *places)

    def acting(self, permission: Permission, *places: Place) -> Attribution:
        """To whom something done to these places is attributed: the caller, in the role that lets it do this there."""
        return replace(self.attribution, role=self.principal.role_at(permission, places))

    @property
    def attribution(self) -> Attribution:
        """To whom what this request does is attributed."""
        return attribution(self.request, self.principal)


def address_of(request: web.BaseRequest) -> str:
    """From where a request came: who is connected, or for whom the proxies say that they are."""
    return str(request.get(ADDRESS, request.remote or ""))


def attribution(request: web.Request, principal: Principal) -> Attribution:
    """To whom what a request does is attributed."""
    agent = request.headers.get("User-Agent", "")[:_USER_AGENT_LENGTH]
    source = Source.CLI if agent.startswith("trimtab-cli") else Source.API
    request_id = str(request.get(REQUEST_ID, ""))
    return Attribution(principal.id, address_of(request), request_id, principal.role, printable(agent), source)


def printable(text: str) -> str:
    """A text from a header, fit to be stored: what no person could read is left out."""
    return "".join(each for each in text if each.isprintable())


def app_in(request: web.Request) -> str:
    """The application in the path.

    Raises:
        NotFoundError: no application can have this name.
    """
    return _name(request, "app", "application")


def environment_in(request: web.Request) -> str:
    """The environment in the path.

    Raises:
        NotFoundError: no environment can have this name.
    """
    return _name(request, "environment", "environment")


def _name(request: web.Request, variable: str, kind: str) -> str:
    text = request.match_info[variable]
    if not is_name(text):
        raise NotFoundError(kind, text)
    return text


def reply(document: Json, status: int = 200, headers: dict[str, Any] | None = None) -> web.Response:
    """An answer in JSON."""
    return web.Response(status=status, body=encode(document), content_type="application/json", headers=headers)
