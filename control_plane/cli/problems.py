"""What an operator is told of a problem: what is wrong, where, and what to do."""

import http
from collections.abc import Iterator

from shared.domain.codec import Json

_TOLD = 20
"""Conflicts, guards and the like that are listed."""


def told(status: int, problem: Json) -> str:
    """The problem in lines."""
    if not isinstance(problem, dict):
        return f"the answer was status {status}"
    return "\n".join(_lines(status, problem))


def _lines(status: int, problem: Json) -> Iterator[str]:
    yield str(problem.get("detail") or problem.get("title") or status)
    for each in problem.get("violations") or ():
        yield f"  {each.get('pointer') or '/'}: {each.get('detail')}"
    yield from _some(
        f"{each.get('scope')} {each.get('key')}: {each.get('detail', 'it moved')}" for each in _of(problem)
    )
    yield from _some(f"{each.get('guard')}: {each.get('detail')}" for each in _of(problem, "guards"))
    if status == http.HTTPStatus.UNAUTHORIZED:
        yield "  Set TRIMTAB_TOKEN, give --token, or log in with `trimtab login`."
    elif hint := problem.get("hint"):
        yield f"  {hint}"


def _of(problem: Json, member: str = "conflicts") -> list[Json]:
    """The items of a member, whether it is a list or the first part of one."""
    found = problem.get(member) or []
    items = found.get("items", []) if isinstance(found, dict) else found
    return [each for each in items if isinstance(each, dict)]


def _some(lines: Iterator[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        if number == _TOLD:
            yield "  … and more"
            return
        yield f"  {line}"
