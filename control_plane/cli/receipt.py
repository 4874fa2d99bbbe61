"""What a command that makes a change says about it."""

from control_plane.cli.preview import show_preview
from control_plane.cli.terminal import show, tell
from control_plane.cli.values import moment
from shared.domain.codec import Json

_NEXT = {
    "draft": "Submit it with `trimtab change submit {id}`.",
    "pending": "`trimtab change show {id}` tells what it waits for; `trimtab change commit {id}` commits it then.",
}


def show_receipt(answer: Json) -> None:
    """The revision that a change has, or would have, or the id under which it waits."""
    if answer.get("dry_run"):
        if preview := answer.get("preview"):
            show_preview(preview)
        show(f"would be revision {answer['revision']}; nothing was changed")
    elif answer["revision"] is not None:
        show(f"revision {answer['revision']}")
    else:
        _show_stored(answer)
    for each in answer.get("left_out") or ():
        tell(f"  left out: {each['key']} ({each['reason']})")


def _show_stored(answer: Json) -> None:
    at = answer.get("scheduled_at")
    show(f"{answer['id']} {answer['state']}" + (f", to be committed at {moment(at)}" if at else ""))
    if hint := _NEXT.get(answer["state"]):
        tell(hint.format(id=answer["id"]))
