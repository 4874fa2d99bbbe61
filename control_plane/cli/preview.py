"""How a preview is shown to a person: what everybody would see, what stands against it, whom it reaches."""

from collections.abc import Callable, Iterator
from itertools import groupby

from control_plane.cli.terminal import show
from control_plane.cli.values import brief, brief_config, place
from shared.domain.codec import Json

_IDLE = {"unchanged": "it says this already", "unreached": "no environment sees it"}


def show_preview(preview: Json, passes: str = "It would be committed.") -> None:
    """Show all of it; parts that have nothing to say are left out. `passes` is what is said if nothing stands against it."""
    for line in _lines(preview, passes):
        show(line)


def _lines(preview: Json, passes: str) -> Iterator[str]:
    yield from _differences(preview["differences"])
    yield from _list("Depends on it:", preview["dependants"], _dependant)
    yield from _part("Without effect:", map(_idle, preview["without_effect"]))
    yield from _list("Not what the schemas allow:", preview["schema_violations"], _violation)
    yield from _list("Guards:", preview["guards"], _guard)
    yield from _part("Look at:", (f"{each['pointer']}: {each['detail']}" for each in preview["warnings"]))
    yield _reach(preview["blast_radius"])
    yield passes if preview["would_commit"] else _verdict(preview)


def _differences(differences: Json) -> Iterator[str]:
    if not differences["items"]:
        yield "Nobody would see a difference."
    for where, items in groupby(differences["items"], key=place):
        yield f"{where}"
        for each in items:
            yield f"  {_difference(each)}"
    yield from _more(differences)


def _difference(each: Json) -> str:
    before, after = each["before"], each["after"]
    if before is None:
        return f"+ {each['key']}: {_seen(after)}"
    if after is None:
        return f"- {each['key']}: {_seen(before)}"
    return f"~ {each['key']}: {_seen(before)} -> {_seen(after)}"


def _seen(seen: Json) -> str:
    below = f", below it {_seen(seen['below'])}" if seen["below"] else ""
    return f"{brief_config(seen)} [{seen['scope']}]{_exposed(seen['rollout'])}{below}"


def _exposed(rollout: Json) -> str:
    if rollout is None:
        return ""
    candidate = "a secret" if rollout.get("candidate") is None else brief(rollout["candidate"])
    return f" under a rollout ({rollout.get('strategy')}) of {candidate}"


def _idle(each: Json) -> str:
    winners = ", ".join(map(place, each["overridden_by"]))
    where = place(each) if each["app_id"] else "global"
    return f"{each['key']} in {where}: " + (
        f"overridden by {winners}" if winners else _IDLE.get(each["why"], each["why"])
    )


def _dependant(each: Json) -> Iterator[str]:
    yield f"{place(each)}: the {each['kind']} {each['key']} [{each['scope']}] refers to {each['refers_to']}"


def _violation(each: Json) -> Iterator[str]:
    yield f"{place(each)} {each['key']} {each['pointer'] or '(the whole value)'}: {each['detail']}"


def _guard(each: Json) -> Iterator[str]:
    yield f"{each['guard']} ({each['mode']}): {each['detail']}"
    yield f"  {each['hint']}"


def _list(title: str, found: Json, lines: Callable[[Json], Iterator[str]]) -> Iterator[str]:
    yield from _part(title, (line for each in found["items"] for line in lines(each)))
    yield from _more(found)


def _part(title: str, lines: Iterator[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        yield title
        yield from (f"  {each}" for each in found)


def _more(found: Json) -> Iterator[str]:
    if found["truncated"]:
        yield f"  … {found['total']} in all"


def _reach(radius: Json) -> str:
    environments, agents = radius["environments"], radius["agents"]
    names = _names(environments, [place(each) for each in environments["items"]])
    parts = [_count(radius["applications"], "application"), _count(environments, "environment") + names]
    if agents is None:
        return f"Reaches {', '.join(parts)}; which agents live is not known now."
    instances = _names(agents, [f"{place(each)} {each['instance']}" for each in agents["items"]])
    return f"Reaches {', '.join(parts)}, {_count(agents, 'live agent')}{instances}."


def _count(found: Json, noun: str) -> str:
    return f"{found['total']} {noun}{'' if found['total'] == 1 else 's'}"


def _names(found: Json, names: list[str]) -> str:
    if not names:
        return ""
    return f" ({', '.join(names[:5])}{', …' if found['total'] > 5 else ''})"  # noqa: PLR2004 - enough to recognise them by


def _verdict(preview: Json) -> str:
    guarded = not preview["forced"] and any(each["mode"] == "refuse" for each in preview["guards"]["items"])
    if guarded or preview["schema_violations"]["total"]:
        return "It would be refused as it is."
    advice = " Submit it." if all(each["kind"] in {"approvals", "window"} for each in preview["obstacles"]) else ""
    return "Not now: " + " ".join(each["detail"] for each in preview["obstacles"]) + advice
