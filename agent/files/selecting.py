"""Which configs are in a file, what they yield for it, and what they are called there."""

from collections.abc import Iterable, Mapping

from agent.files.target import File, Selection
from agent.files.unrenderable import UnrenderableError
from agent.snapshot.model import Snapshot
from shared.domain.context import EvaluationContext
from shared.domain.resolution import Resolution


def resolved(file: File, snapshot: Snapshot, own: EvaluationContext, now_ms: int) -> Mapping[str, Resolution]:
    """What the configs of a file yield at one moment, by key in order; those without a value are not in it.

    Raises:
        UnrenderableError: the secret of one of them cannot be had; a file without it would be half a file.
    """
    prefixes = file.selection.prefixes or ("",)
    keys = sorted(key for key in snapshot.effective if key.startswith(prefixes))
    for key in snapshot.unresolved:
        if key.startswith(prefixes):
            msg = f"the secret of {key!r} cannot be had: {snapshot.unresolved[key]}"
            raise UnrenderableError(msg, file=str(file.path))
    found = snapshot.program.resolutions(keys, _asking(file.context, own), now_ms)
    return {key: each for key, each in found.items() if each.value}


def names(selection: Selection, keys: Iterable[str]) -> Mapping[str, str]:
    """What each key is called in the file, in the order of the keys.

    Raises:
        UnrenderableError: two keys would be called the same, or one nothing at all.
    """
    found: dict[str, str] = {}
    owners: dict[str, str] = {}
    for key in keys:
        name = _name(selection, key)
        if not name:
            msg = f"without its prefix nothing is left of {key!r}; rename it, or select by a shorter prefix"
            raise UnrenderableError(msg)
        if (other := owners.setdefault(name, key)) != key:
            msg = f"{other!r} and {key!r} would both be {name!r}; rename one of them"
            raise UnrenderableError(msg)
        found[key] = name
    return found


def _name(selection: Selection, key: str) -> str:
    if (renamed := selection.renames.get(key)) is not None:
        return renamed
    if not selection.strip:
        return key
    longest = max((each for each in selection.prefixes if key.startswith(each)), key=len, default="")
    return key.removeprefix(longest)


def _asking(context: EvaluationContext, own: EvaluationContext) -> EvaluationContext:
    """For whom a file is: who the set says, being this agent."""
    return EvaluationContext(
        context.targeting_key if context.targeting_key is not None else own.targeting_key,
        context.groups or own.groups,
        {**context.attributes, **own.attributes},
    )
