"""A request as the faces of the agent see it, whatever lane it came by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import parse_qsl

from agent.local_api.errors import invalid, not_json, wrong_media_type
from shared.domain.codec import Json, MalformedJsonError, decode
from shared.domain.document import Fault

Pairs: TypeAlias = Sequence[tuple[str, str]]
"""The names and values of a query, in their order."""

MAX_PAIRS = 1_000
"""Parameters of one query."""
_JSON_TYPES = ("application/json", "text/json")
_USUAL = frozenset({"", "application/json", "application/json; charset=utf-8"})


@dataclass(slots=True)
class Asked:
    """One request; nobody changes it. `path` and `query` are as they were sent; `key` is the decoded part of the path that names a config.

    `headers` have lower-case names; those of a repeated one are joined by commas.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""
    key: str = ""

    def pairs(self) -> Pairs:
        """The parameters of the query.

        Raises:
            ProblemError: there are too many.
        """
        query = self.query
        if not query:
            return ()
        try:
            if "%" in query or "+" in query or query.count("&") >= MAX_PAIRS:
                return parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_PAIRS)
            return [(name, value) for name, _, value in [each.partition("=") for each in query.split("&") if each]]
        except ValueError as error:
            raise invalid(Fault("", f"at most {MAX_PAIRS:,} parameters")) from error

    def document(self) -> Json:
        """The JSON of the body.

        Raises:
            ProblemError: it says that it is something else, or is none.
        """
        said = self.headers.get("content-type", "")
        if said not in _USUAL:
            media = said.partition(";")[0].strip().lower()
            if media not in _JSON_TYPES and not media.endswith("+json"):
                raise wrong_media_type(media)
        try:
            return decode(self.body)
        except MalformedJsonError as error:
            raise not_json(error) from error


def parameter(pairs: Pairs, name: str) -> str:
    """The first value of a parameter; empty if it is not there."""
    return next((value for each, value in pairs if each == name), "")
