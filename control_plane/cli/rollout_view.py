"""How rollouts are shown to a person: in a list, one of them whole, and what happened to it."""

from collections.abc import Iterator

from control_plane.cli.terminal import show, show_table, tell
from control_plane.cli.values import brief, moment, place
from shared.domain.codec import Json

_WHOLE = 100_000


def percent(weight: Json) -> str:
    """A weight for people."""
    return "-" if weight is None else f"{weight * 100 / _WHOLE:.3f}".rstrip("0").rstrip(".") + " %"


def show_rollouts(items: Json) -> None:
    """Show a list of rollouts."""
    rows = [
        [each["id"], place(each), each["key"], each["strategy"], each["phase"], _step(each), percent(each["weight"])]
        for each in items
    ]
    show_table(["rollout", "of", "key", "strategy", "phase", "step", "weight"], rows)


def show_rollout(rollout: Json) -> None:
    """Show all of one rollout."""
    show(f"{rollout['id']} {rollout['phase']}")
    for name, value in _facts(rollout):
        show(f"  {name:<11}{value}")
    rows = [_row(*each) for each in enumerate(rollout["plan"], start=1)]
    show_table(["", "", "weight", "from", "gates"], rows)
    if actions := rollout["legal_actions"]:
        tell(f"What can be done with it: {', '.join(actions)}")


def show_brief(rollout: Json) -> None:
    """Show where a rollout is, in one line."""
    show(f"{rollout['id']} {line(rollout)}")


def line(rollout: Json) -> str:
    """Where a rollout is: phase, step, weight, and what it waits for."""
    parts = [rollout["phase"], f"step {_step(rollout)}", percent(rollout["weight"])]
    if (reason := rollout.get("holding") or rollout["reason"]) and rollout["phase"] != "completed":
        parts.append(reason)
    elif rollout.get("next_at"):
        parts.append(f"next at {moment(rollout['next_at'])}")
    return ", ".join(parts)


def show_events(items: Json) -> None:
    """Show what happened to a rollout."""
    rows = [
        [
            moment(each["at"]),
            each["action"],
            str(each["step"] + 1),
            each["principal"],
            "" if each["revision"] is None else f"r{each['revision']}",
            _why(each["detail"]),
        ]
        for each in items
    ]
    show_table(["at", "what", "step", "by", "revision", "why"], rows)


def _why(detail: Json) -> str:
    if "result" in detail:
        return f"gate {detail['gate'] + 1}: {detail['result']}, {detail['detail']}"
    return str(detail.get("reason") or detail.get("detail") or (brief(detail) if detail else ""))


def _step(rollout: Json) -> str:
    return f"{min(rollout['step'] + 1, rollout['steps'])}/{rollout['steps']}"


def _facts(rollout: Json) -> Iterator[tuple[str, str]]:
    yield "config", f"{rollout['key']} of {place(rollout) if rollout['app_id'] else 'the global scope'}"
    yield "strategy", rollout["strategy"]
    yield "candidate", "(sensitive)" if rollout["sensitive"] else brief(rollout["candidate"])
    yield "weight", percent(rollout["weight"])
    if rollout["message"]:
        yield "message", rollout["message"]
    yield "made", f"{moment(rollout['created_at'])} by {rollout['created_by']}"
    if rollout["finished_at"]:
        yield "ended", moment(rollout["finished_at"])
    if rollout["next_at"]:
        yield "next", moment(rollout["next_at"])
    if rollout["holding"]:
        yield "holds", rollout["holding"]
    if rollout["reason"]:
        yield "reason", rollout["reason"]
    yield from _numbers(rollout["numbers"])


def _numbers(numbers: Json) -> Iterator[tuple[str, str]]:
    agents, outcomes, health = numbers["agents"], numbers["outcomes"], numbers["health"]
    if agents is not None:
        rejected = f", {agents['rejected']} rejected it" if agents["rejected"] else ""
        yield "agents", f"{agents['applied']} of {agents['concerned']} have it{rejected}"
    for arm in ("candidate", "baseline"):
        if outcomes is not None and (counted := outcomes[arm])["total"]:
            yield arm, f"{counted['failed']} of {counted['total']} failed ({counted['rate']:.3%})"
    if health is not None and sum(health.values()):
        yield "health", ", ".join(f"{number} {word}" for word, number in health.items() if number)


def who(row: Json) -> str:
    """Whom a row of a plan exposes."""
    groups = [",".join(f"{name}={value}" for name, value in sorted(each.items())) for each in row["labels"]]
    return " or ".join(groups) or percent(row["weight"])


def _row(number: int, row: Json) -> list[str]:
    here = ">" if row["state"] == "current" else ""
    return [here, str(number), who(row), moment(row["at"]), "; ".join(map(_gate, row["gates"]))]


def _gate(gate: Json) -> str:
    latest = gate["latest"]
    return str(gate["gate"]["type"]) + (f" ({latest['result']}: {latest['detail']})" if latest else "")
