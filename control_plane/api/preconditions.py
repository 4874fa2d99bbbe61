"""Entity tags: which version a caller has read, and what it should get if that is still current."""

import re

from aiohttp import web

from control_plane.api.errors import MalformedError
from control_plane.domain.errors import PreconditionRequiredError, VersionMismatchError

_VERSION_TAG = re.compile(r'(?:W/)?"(0|[1-9][0-9]{0,17})"')


def etag(version: int) -> str:
    """The entity tag of a version."""
    return f'"{version}"'


def require_match(request: web.Request, current: int) -> int | None:
    """The version that the change is based on; None for `*`: whatever is there.

    A weak tag is taken as well: proxies that compress weaken tags, and a version is exact all the same.

    Raises:
        PreconditionRequiredError: there is no If-Match.
        MalformedError: it is neither one tag of ours nor `*`.
        VersionMismatchError: it is not the current version.
    """
    given = request.headers.get("If-Match")
    if given is None:
        raise PreconditionRequiredError
    if given.strip() == "*":
        return None
    if (version := _version(given)) != current:
        raise VersionMismatchError(version, current)
    return version


def asked_version(request: web.Request, given: int | None) -> int | None:
    """The version that the request is based on: from the body if it says one, else from If-Match; None for `*`.

    Raises:
        PreconditionRequiredError: neither says one.
        MalformedError: If-Match is neither one tag of ours nor `*`.
    """
    if given is not None:
        return given
    if "If-Match" not in request.headers:
        raise PreconditionRequiredError
    return given_version(request, None)


def given_version(request: web.Request, given: int | None) -> int | None:
    """The version that the request says it is based on, in its body or in If-Match; None if it says none, or `*`.

    Raises:
        MalformedError: If-Match is neither one tag of ours nor `*`.
    """
    header = request.headers.get("If-Match")
    if given is not None or header is None or header.strip() == "*":
        return given
    return _version(header)


def _version(tag: str) -> int:
    found = _VERSION_TAG.fullmatch(tag.strip())
    if found is None:
        detail = 'If-Match is one version in quotes, such as "3", or *.'
        raise MalformedError(detail)
    return int(found[1])


def unchanged(request: web.Request, tag: str) -> bool:
    """Whether the caller has this already (If-None-Match, weak comparison)."""
    given = request.headers.get("If-None-Match", "")
    return given.strip() == "*" or tag.removeprefix("W/") in {
        each.strip().removeprefix("W/") for each in given.split(",")
    }
