"""Values as an ini file in sections: `db.pool` is `pool` in `[db]`. Written for Python's configparser and stricter readers.

The format has no quotes and no escapes, so what a reader would drop or take for something else is an error: blanks at the
ends of a line, empty lines within a text, further lines that look like comments. Readers that take ` #` or ` ;` within a
line for a comment are not served by any spelling.
"""

import re
from collections.abc import Mapping

from agent.files.flattening import Joints, flattened, text_of
from agent.files.target import Layout
from agent.files.unrenderable import UnrenderableError
from shared.domain.codec import Json

JOINTS = Joints(member="{}.{}", element="{}.{}")
_CONTINUED = "\n    "
_COMMENT = ("#", ";")
_SECTION = re.compile(r"[^\]\[\x00-\x1f\x7f]+")
_OPTION = re.compile(r"[^\[#;=:\x00-\x1f\x7f][^=:\x00-\x1f\x7f]*")
_UNSAYABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029]")
_SHARED = "default"
"""A section of this name is one for all others, to the readers that there are."""


def ini_document(values: Mapping[str, Json], header: str, layout: Layout) -> bytes:
    """The sections in order, each with its options.

    Raises:
        UnrenderableError: two would have one name, or a name or a text cannot be said.
    """
    whole = layout.flatten is False
    lines = {key: text_of(value) for key, value in values.items()} if whole else flattened(values, JOINTS)
    sections: dict[str, dict[str, str]] = {}
    owners: dict[tuple[str, str], str] = {}
    for name, text in lines.items():
        section, option = _placed(name, layout.section)
        if (other := owners.setdefault((section, option.lower()), name)) != name:
            msg = f"{other!r} and {name!r} would both be {option!r} in [{section}]; readers ignore case; rename one of them"
            raise UnrenderableError(msg)
        said = _said(name, text)
        sections.setdefault(section, {})[option] = said.replace("%", "%%") if layout.escape_percent else said
    return (header + "\n".join(_section(name, sections[name]) for name in sorted(sections))).encode()


def _section(name: str, options: Mapping[str, str]) -> str:
    return f"[{name}]\n" + "".join(f"{option} = {text}".rstrip(" ") + "\n" for option, text in options.items())


def _placed(name: str, without: str) -> tuple[str, str]:
    section, dot, option = name.partition(".")
    if not dot:
        section, option = without, name
    if not _SECTION.fullmatch(section) or section != section.strip() or section.lower() == _SHARED:
        msg = f"{name!r} would stand in [{section}], which readers do not take for a section; rename it"
        raise UnrenderableError(msg)
    if not _OPTION.fullmatch(option) or option != option.strip():
        msg = f"{name!r} would be the option {option!r}, which an ini file cannot say; rename it, or keep values whole (`flatten: false`)"
        raise UnrenderableError(msg)
    return section, option


def _said(name: str, text: str) -> str:
    first, *further = text.split("\n")
    if _UNSAYABLE.search(text):
        msg = f"the value of {name!r} holds a control character, which an ini file cannot say; use another format"
        raise UnrenderableError(msg)
    if any(line != line.strip() for line in (first, *further)) or (further and not all((first, *further))):
        msg = f"the value of {name!r} has blanks or nothing at the ends of a line, which readers of ini drop; use another format"
        raise UnrenderableError(msg)
    if any(line.startswith(_COMMENT) for line in further):
        msg = f"the value of {name!r} has a line that readers of ini take for a comment; use another format"
        raise UnrenderableError(msg)
    return _CONTINUED.join((first, *further))
