"""What the settings say of one file of a set."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from agent.files.target import (
    AS_THE_FORMAT_DOES,
    EVERYTHING,
    OURSELVES,
    File,
    Format,
    Layout,
    Owner,
    Selection,
    format_of,
)
from agent.settings import parsers
from agent.settings.members import Members
from agent.settings.static_context import static_context
from shared.domain.codec import Json
from shared.domain.context import ANYBODY, EvaluationContext

_SUFFIXES = ".json, .yaml, .toml, .env, .properties or .ini"
_SWAP = ".."
"""What names begin with that the swap of a directory takes for itself."""


@dataclass(frozen=True, slots=True)
class Inherited:
    """What a set says for all its files; `within`: it has a directory, and paths are relative to it."""

    within: bool = False
    selection: Selection = EVERYTHING
    layout: Layout = AS_THE_FORMAT_DOES
    context: EvaluationContext = ANYBODY
    mode: int | None = None
    owner: Owner = OURSELVES

    @classmethod
    def of(cls, members: Members, *, within: bool) -> "Inherited":
        """What a set's members say."""
        return _over(cls(within), members)


def file_of(raw: Json, place: str, mistakes: list[str], inherited: Inherited) -> File | None:
    """A path, or a mapping; None where it says too little."""
    members = Members(raw if isinstance(raw, (dict, list)) else {"path": raw}, place, mistakes)
    if not members.sound:
        return None
    said = _over(inherited, members)
    template = members.take("template", parsers.path, None)
    form = members.take("format", parsers.one_of(*Format), Format.TEMPLATE if template is not None else None)
    path = members.take("path", _within if inherited.within else parsers.path, Path() if form == Format.KEYS else None)
    if path is None and not members.has("path"):
        members.wrong("", "is a file without a path; give it `path: /run/app/config.json`")
    members.close()
    if path is None:
        return None
    if (form == Format.TEMPLATE) != (template is not None):
        members.wrong("format", "and `template:` do not agree; give `template: /path/of/it` alone")
    elif (form := form or format_of(path)) is None and not members.has("format"):
        members.wrong(
            "", f"does not tell the format of {path}; end its name in {_SUFFIXES}, or say `format:` in the file"
        )
    elif path == Path() and form != Format.KEYS:
        members.wrong("path", "is the directory itself; name a file in it")
    return File(
        path, Format(form or Format.JSON), said.selection, said.layout, said.context, template, said.mode, said.owner
    )


def _over(above: Inherited, members: Members) -> Inherited:
    selection, layout = above.selection, above.layout
    return replace(
        above,
        selection=Selection(
            prefixes=members.take("prefix", parsers.texts, selection.prefixes),
            strip=members.take("strip_prefix", parsers.boolean, selection.strip),
            renames={**selection.renames, **members.take("rename", _renames, {})},
        ),
        layout=Layout(
            nested=members.take("nested", parsers.boolean, layout.nested),
            flatten=members.take("flatten", parsers.boolean, layout.flatten),
            section=members.take("section", parsers.text, layout.section),
            escape_percent=members.take("escape_percent", parsers.boolean, layout.escape_percent),
        ),
        context=members.take("context", static_context, above.context),
        mode=members.take("mode", parsers.mode, above.mode),
        owner=members.take("owner", _owner, above.owner),
    )


def _within(raw: Json) -> Path:
    found = Path(parsers.text(raw))
    if found.is_absolute() or any(part.startswith(_SWAP) for part in found.parts):
        msg = f"is {str(found)!r}; give it relative to the set's directory, with no part that starts with `..`"
        raise ValueError(msg)
    return found


def _renames(raw: Json) -> Mapping[str, str]:
    if not isinstance(raw, dict):
        msg = "is no mapping; write it as `{db.pool: pool_size}`"
        raise ValueError(msg)  # noqa: TRY004 - one kind of error for everything that cannot be taken
    found = {str(key): parsers.text(name) for key, name in raw.items()}
    if not all(found.values()) or len(set(found.values())) < len(found):
        msg = "has a name that is empty or given twice; call each key something else"
        raise ValueError(msg)
    return found


def _owner(raw: Json) -> Owner:
    user, colon, group = parsers.text(raw).partition(":")
    if not (user or group) or (colon and not group) or any(" " in each for each in (user, group)):
        msg = f"is {raw!r}; give it as user, user:group or :group, names or numbers"
        raise ValueError(msg)
    return Owner(user, group)
