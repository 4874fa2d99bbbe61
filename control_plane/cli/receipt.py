"""What a command that makes a change says about it."""

from control_plane.cli.terminal import show, tell
from shared.wire.codec import Json


def show_receipt(answer: Json) -> None:
    """The revision that a change has, or would have."""
    if answer.get("dry_run"):
        show(f"would be revision {answer['revision']}; nothing was changed")
    else:
        show(f"revision {answer['revision']}")
    for each in answer.get("left_out") or ():
        tell(f"  left out: {each['key']} ({each['reason']})")
