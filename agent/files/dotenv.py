r"""Values as `NAME=value` lines that a POSIX shell, docker compose and python-dotenv read alike.

`db.pool-size` becomes `DB_POOL_SIZE`; a name never starts with a digit. Texts stand as they are, null is empty,
objects and lists are compact JSON. The readers quote by different rules, so each value gets the form in which they
agree. Where there is none (`'` or `\\` together with `$` or a backquote; a carriage return) the shell's rules win:
sourcing the file is always exact and never runs anything. python-dotenv expands `${NAME}` within any quotes unless it
is told `interpolate=False`.
"""

import re
from collections.abc import Collection, Mapping

from agent.files.flattening import Joints, flattened, text_of
from agent.files.unrenderable import UnrenderableError
from shared.domain.codec import Json

__all__ = ["UnrenderableError", "dotenv_document", "variable_name"]

_BARE = re.compile(r"[A-Za-z0-9_./:@%+,-]+")
_SPECIAL = re.compile(r'(["\\$`])')
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
JOINTS = Joints(member="{}.{}", element="{}.{}")


def dotenv_document(
    values: Mapping[str, Json], header: str = "", *, flatten: bool = False, exact: Collection[str] = ()
) -> bytes:
    """One line for each value, or (`flatten`) for each scalar in them, in the order given.

    Names in `exact` that are variables' names already stay as they are.

    Raises:
        UnrenderableError: two keys share a name, or a value holds a NUL character.
    """
    texts = flattened(values, JOINTS) if flatten else {key: text_of(value) for key, value in values.items()}
    lines, owners = [header], dict[str, str]()
    for key, text in texts.items():
        name = key if key in exact and _NAME.fullmatch(key) else variable_name(key)
        if (other := owners.setdefault(name, key)) is not key:
            msg = f"{other!r} and {key!r} would both be {name}; rename one, or give each its own file by prefix"
            raise UnrenderableError(msg)
        if "\0" in text:
            msg = f"the value of {key!r} holds a NUL character, which no environment variable can"
            raise UnrenderableError(msg)
        lines.append(f"{name}={_quoted(text)}\n")
    return "".join(lines).encode()


def variable_name(key: str) -> str:
    """The variable's name for a key."""
    name = re.sub(r"[^A-Z0-9]", "_", key.upper())
    return f"_{name}" if name[0].isdigit() else name


def _quoted(text: str) -> str:
    if not text or _BARE.fullmatch(text):
        return text
    # Between single quotes the shell takes everything literally; python-dotenv folds `\\` and takes `\'` for a quote.
    if "'" not in text and "\\\\" not in text and not text.endswith("\\"):
        return f"'{text}'"
    return '"' + _SPECIAL.sub(r"\\\1", text) + '"'
