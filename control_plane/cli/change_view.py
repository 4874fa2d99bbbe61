"""How changes are shown to a person: in a list, and one of them whole."""

from collections.abc import Iterator

from control_plane.cli.terminal import show, show_table, tell
from control_plane.cli.values import brief, brief_config, moment, place
from shared.domain.codec import Json


def show_changes(items: Json) -> None:
    """Show a list of changes."""
    rows = [[_known_as(each), each["state"], moment(each["committed_at"]), *_by(each)] for each in items]
    show_table(["change", "state", "committed", "author", "message"], rows)


def _known_as(change: Json) -> str:
    return str(change["revision"] or change["id"])


def _by(change: Json) -> list[str]:
    return [change["author"], change["message"]]


def show_change(change: Json) -> None:
    """Show all of one change."""
    show(f"{_known_as(change)} {change['state']}")
    for name, value in _facts(change):
        show(f"  {name:<10}{value}")
    life = change["life"] or {}
    planned = life.get("operations") or change["operations"]
    show_table(
        ["", "does", "of", "key", "value"], [["", each["op"], place(each), each["key"], _to(each)] for each in planned]
    )
    if actions := life.get("legal_actions"):
        tell(f"What can be done with it: {', '.join(actions)}")


def _facts(change: Json) -> Iterator[tuple[str, str]]:
    yield "author", change["author"]
    if change["message"]:
        yield "message", change["message"]
    if change["labels"]:
        yield "labels", ", ".join(f"{name}={value}" for name, value in sorted(change["labels"].items()))
    if change["committed_at"]:
        yield "committed", f"{moment(change['committed_at'])} by {change['committed_by']}"
    if change["reverts"]:
        yield "reverts", str(change["reverts"])
    yield from _life(change["life"] or {})


def _life(life: Json) -> Iterator[tuple[str, str]]:
    if life.get("scheduled_at"):
        yield "scheduled", moment(life["scheduled_at"])
    for each in life.get("approvals", ()):
        said = f": {each['comment']}" if each["comment"] else ""
        yield "approved" if each["approved"] else "rejected", f"by {each['principal']} ({each['role']}){said}"
    if life.get("legal_actions") and (needed := life["required_approvals"]):
        yield "approvals", f"{len(life['counted'])} of {needed}, asked for by {', '.join(life['policies'])}"
    if life.get("break_glass"):
        yield "past its policies", life["break_glass"]
    if life.get("failure"):
        yield "failed", brief(life["failure"])


def _to(operation: Json) -> str:
    if operation.get("version"):
        return f"v{operation['version']}"
    if operation["op"] != "put":
        return ""
    return brief_config(operation)
