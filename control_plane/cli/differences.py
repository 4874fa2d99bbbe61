"""How a difference between two values is shown to a person."""

from control_plane.cli.terminal import show
from control_plane.cli.values import brief
from shared.domain.codec import Json


def show_lines(lines: Json, *, truncated: bool = False, indent: str = "  ") -> None:
    """One line for each place inside a value that differs."""
    for each in lines:
        show(f"{indent}{line_of(each)}")
    if truncated:
        show(f"{indent}… and more; --json shows the whole")


def line_of(line: Json) -> str:
    """What happened at one place inside a value."""
    where = f"{line['path']}: " if line["path"] else ""
    match line["op"]:
        case "added":
            return f"+ {where}{brief(line['after'])}"
        case "removed":
            return f"- {where}{brief(line['before'])}"
        case _:
            return f"~ {where}{brief(line['before'])} -> {brief(line['after'])}"
