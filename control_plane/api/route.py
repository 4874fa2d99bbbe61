"""What one route declares. Routing, validation, authorisation and the OpenAPI document are all made of this."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic

from aiohttp import web

from control_plane.api.bodies.pages import PageView
from control_plane.api.call import B, Call, Q
from control_plane.api.media import JSON
from control_plane.api.services import Services
from control_plane.domain.access.permission import Permission
from shared.wire.problem import ProblemType


@dataclass(frozen=True, slots=True)
class Answer:
    """A good answer: its status, what it means, the type of its document and the headers that come with it."""

    status: int
    description: str
    model: Any = None
    media_type: str = JSON
    headers: tuple[str, ...] = ()


def ok(model: Any, *headers: str) -> Answer:
    """200 with a document."""
    return Answer(200, "Done; this is the result.", model, headers=headers)


def page_of(view: type[Any]) -> Answer:
    """200 with a page of a list."""
    return ok(PageView[view])  # type: ignore[valid-type]  # a type made at run time


def made(model: Any, *headers: str) -> Answer:
    """201 with a document and where to find it again."""
    return Answer(201, "Made; this is the result.", model, headers=("Location", "Idempotency-Replayed", *headers))


def text(description: str, media_type: str) -> Answer:
    """200 with something that is not JSON."""
    return Answer(200, description, str, media_type)


def in_form(description: str) -> Answer:
    """200 with a document in the form that was asked for."""
    return Answer(200, description, Any, "*/*")


def refused(status: int, model: Any) -> Answer:
    """A refusal in the form of another standard; there are problems of this status as well."""
    return Answer(status, "Refused; this says why.", model)


NOT_MODIFIED = Answer(304, "What you have is current.", None, "", ("ETag",))
DONE = Answer(200, "Done.", None, "")
ELSEWHERE = Answer(302, "Go there.", None, "", ("Location",))
NO_CONTENT = Answer(204, "Done.", None, "")


class Repeat(Enum):
    """What happens with an `Idempotency-Key`."""

    UNKNOWN = "the header is not known"
    IN_DRAFT = "the draft carries it into the commit"
    ANSWERED = "the first answer is kept and given again"
    SECRET = "the first answer cannot be given again: a secret is shown once"  # noqa: S105 - a sentence


@dataclass(frozen=True, slots=True)
class Route(Generic[B, Q]):
    """One operation of the API.

    `permission` None: open to everybody. `errors` adds problems to those that follow from the rest. `streams`: the
    answer has no end, so its duration means nothing. `document`: the body is a whole document, in YAML too, and larger.

    Whoever calls must have the permission for the whole of what the path names: an application, an environment, else the
    installation. `part`: for a part of it is enough, and the handler sees to what it reads and writes.
    `enrols`: it is what an agent token is for, also where agents need a credential of their own for all else.
    """

    method: str
    path: str
    handler: Callable[[Services, Call[B, Q]], Awaitable[web.StreamResponse]]
    permission: Permission | None
    answers: tuple[Answer, ...]
    body: type[B] | None = None
    query: type[Q] | None = None
    errors: tuple[ProblemType, ...] = ()
    repeat: Repeat = Repeat.UNKNOWN
    if_match: bool = False
    conditional: bool = False
    streams: bool = False
    document: bool = False
    part: bool = False
    enrols: bool = False

    @property
    def name(self) -> str:
        """The operation's id."""
        return self.handler.__name__

    @property
    def tag(self) -> str:
        """The noun under which the documentation shows it."""
        return self.handler.__module__.rpartition(".")[2]

    @property
    def documentation(self) -> tuple[str, str]:
        """Summary and description: the handler's docstring."""
        summary, _, rest = (inspect.getdoc(self.handler) or "").partition("\n")
        return summary.rstrip("."), rest.strip()

    @property
    def problems(self) -> list[ProblemType]:
        """Every problem that this operation can be answered with."""
        found = {ProblemType.MALFORMED, ProblemType.MISDIRECTED, ProblemType.INTERNAL, *self.errors}
        if self.permission:
            found |= {ProblemType.UNAUTHENTICATED, ProblemType.FORBIDDEN, ProblemType.RATE_LIMITED}
            found.add(ProblemType.UNAVAILABLE)
        if "{" in self.path:
            found.add(ProblemType.NOT_FOUND)
        if self.body:
            found |= {ProblemType.TOO_LARGE, ProblemType.UNSUPPORTED_MEDIA, ProblemType.INVALID}
        if self.permission:  # a query is checked, even where none is known
            found.add(ProblemType.INVALID)
        if self.if_match:
            found |= {ProblemType.PRECONDITION_REQUIRED, ProblemType.VERSION_MISMATCH, ProblemType.CONFLICT}
        if self.repeat is not Repeat.UNKNOWN:
            found |= {ProblemType.KEY_REUSED, ProblemType.CONFLICT}
        return [each for each in ProblemType if each in found]
