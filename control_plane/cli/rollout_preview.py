"""How the preview of a rollout is shown to a person: its steps, who would get the candidate, what stands against it."""

from collections.abc import Iterator

from control_plane.cli.preview import show_preview
from control_plane.cli.rollout_view import who
from control_plane.cli.terminal import show, show_table
from control_plane.cli.values import brief, moment
from shared.domain.codec import Json


def show_rollout_preview(preview: Json) -> None:
    """Show all of it; parts that have nothing to say are left out."""
    show("If it were started now:")
    show_table(["", "from", "weight", "agents", "gates"], [_row(*each) for each in enumerate(preview["plan"], start=1)])
    for each in _contexts(preview):
        show(each)
    if (agents := preview["instances"]) is not None and agents["items"]:
        show("Live agents that would serve the candidate:")
        for each in agents["items"]:
            show(f"  {each['app_id']}/{each['environment']} {each['instance']}: {_from(each['candidate_from'])}")
    show_preview(preview["change"], "It could be started now.")
    if preview["beside"]:
        show(f"Another rollout of this config is exposed: {preview['beside']}")


def _row(number: int, row: Json) -> list[str]:
    gates = "; ".join(each["gate"]["type"] for each in row["gates"])
    agents = "-" if row["agents"] is None else str(row["agents"])
    return [str(number), moment(row["at"]), who(row), agents, gates]


def _contexts(preview: Json) -> Iterator[str]:
    if preview["contexts"]:
        yield "Who would get the candidate:"
    for each in preview["contexts"]:
        bucket = "" if each["bucket"] is None else f" (bucket {each['bucket']:,})"
        yield f"  {brief(each['context'])}{bucket}: {_from(each['candidate_from'])}"


def _from(index: Json) -> str:
    return "never" if index is None else f"from {index + 1} on"
