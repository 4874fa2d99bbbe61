"""One route in service: let the caller in, check what it sent, call the handler."""

from functools import partial
from typing import Any

from aiohttp import web

from control_plane.api.call import Call, address_of, app_in, attribution, environment_in
from control_plane.api.caller import caller_of
from control_plane.api.once import answer_once
from control_plane.api.presented import presented_by
from control_plane.api.rate_limits import RateLimits
from control_plane.api.reading import read_body, read_bytes, read_document, read_idempotency_key, read_query
from control_plane.api.route import Repeat, Route
from control_plane.api.services import Services
from control_plane.api.sight import discreet
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.principal import Principal, PrincipalKind
from control_plane.domain.access.reach import EVERYWHERE, Place
from control_plane.domain.errors import ConflictError, ForbiddenError, InvalidError, UnfitError
from control_plane.services.access import require_permission, require_somewhere
from shared.wire.problem import Violation

PRINCIPAL = web.RequestKey("principal", str)
CALLER = web.RequestKey("caller", Principal)
ROUTE = web.RequestKey("route", Route)
ANYBODY = Principal("anybody", PrincipalKind.AGENT)
"""Calls the open routes; has no app/environment, so it would pass no check."""


class Endpoint:
    """Serves one route."""

    def __init__(self, route: Route[Any, Any], services: Services, limits: RateLimits) -> None:
        self._route = route
        self._services = services
        self._rates = limits

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        request[ROUTE] = self._route
        try:
            return await self._answer(request)
        except ForbiddenError as error:
            await self._note(request, error)
            raise
        except (ConflictError, UnfitError) as error:
            raise discreet(request[CALLER], error) from error

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        call = await self._read(request)
        act = partial(self._route.handler, self._services, call)
        if call.idempotency_key is None or self._route.repeat is Repeat.IN_DRAFT:
            return await act()
        secret = self._route.repeat is Repeat.SECRET
        return await answer_once(self._services.receipts, call, call.idempotency_key, act, secret=secret)

    async def _note(self, request: web.Request, error: ForbiddenError) -> None:
        """Let the audit chain know of a denial: what was asked for, and for which app/environment."""
        asked = {"reason": str(error)}
        names = {"app": "app_id", "environment": "environment"}
        asked |= {called: request.match_info[name] for name, called in names.items() if name in request.match_info}
        by = attribution(request, request[CALLER])
        await self._services.denials.add(by, error.permission, f"{self._route.method} {self._route.path}", asked)

    async def _read(self, request: web.Request) -> Call[Any, Any]:
        route, limits = self._route, self._services.limits
        principal = await self._admit(request)
        raw = await read_bytes(request, limits, document=route.document) if route.body else b""
        keyed = route.repeat is not Repeat.UNKNOWN
        return Call(
            request=request,
            principal=principal,
            body=await self._body(request, raw),
            query=self._query(request),
            raw=raw,
            limits=limits,
            idempotency_key=read_idempotency_key(request.headers) if keyed else None,
        )

    async def _body(self, request: web.Request, raw: bytes) -> Any:
        model, limits = self._route.body, self._services.limits
        if model is None:
            return None
        if self._route.document:
            return await read_document(model, raw, limits, request.content_type)
        return read_body(model, raw, limits)

    async def _admit(self, request: web.Request) -> Principal:
        """Authenticate, then authorise for what the path names."""
        if self._route.permission is None:
            return ANYBODY
        principal = await self._rates.admit(request, self._route, partial(caller_of, self._services, request))
        request[PRINCIPAL] = principal.id
        request[CALLER] = principal
        self._require_from_here(request, principal, self._route.permission)
        self._require_known_agent(request, principal, self._route.permission)
        if self._route.part:
            require_somewhere(principal, self._route.permission, _place(request))
        else:
            require_permission(principal, self._route.permission, _place(request))
        return principal

    def _require_from_here(self, request: web.Request, principal: Principal, permission: Permission) -> None:
        if not principal.may_come_from(address_of(request)):
            detail = f"The API key of {principal.id} may not be used from {address_of(request) or 'here'}."
            raise ForbiddenError(permission, detail)

    def _require_known_agent(self, request: web.Request, principal: Principal, permission: Permission) -> None:
        if not principal.is_agent:
            return
        if self._services.agents_certified and presented_by(request).certificate is None:
            raise ForbiddenError(permission, "Agents have to show a client's certificate here.")
        if self._services.enrolment_required and not (principal.instance or self._route.enrols):
            detail = "An agent token is for POST /api/v1/agents/enrol; all else needs the credential that it gives."
            raise ForbiddenError(permission, detail)

    def _query(self, request: web.Request) -> Any:
        if self._route.query is not None:
            return read_query(self._route.query, request, self._services.limits)
        if self._route.permission is not None and request.query:
            raise InvalidError([Violation(f"?{name}", "there is no such parameter") for name in sorted(request.query)])
        return None


def _place(request: web.Request) -> Place:
    """What the path names; the whole installation if it names nothing."""
    if "app" not in request.match_info:
        return EVERYWHERE
    return Place(app_in(request), environment_in(request) if "environment" in request.match_info else None)
