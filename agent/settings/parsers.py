"""From what stands in a variable or in the file to a setting's value; what is wrong is said with what to do.

A variable is always a text. In the file a list or a mapping may stand where the variable has `a,b` or `a=b,c=d`.
Every parser raises `ValueError` for what it cannot take. No text of a secret goes into an error.
"""

import re
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from shared.domain.codec import Json
from shared.domain.scope import NAME_PATTERN, is_name
from shared.runtime.listen import Listen
from shared.wire.report import MAX_LABELS
from shared.wire.signature import KEY_BYTES, decoded

if TYPE_CHECKING:
    from agent.probing.target import Target

T = TypeVar("T")

_MAX_SOCKET_PATH = 100
"""Bytes of a unix socket's path: the kernel takes 107 on Linux and 103 on macOS."""
_MIN_LOCAL_TOKEN = 16
_MAX_FAILURES = 100
_MAX_MODE = 0o777
_HOST = re.compile(r"[A-Za-z0-9_.:-]{1,255}")
_ORIGIN = re.compile(r"https?://(?:[a-z0-9_.-]{1,253}|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?")
_INSTANCE = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def text(raw: Json) -> str:
    """A single text."""
    if not isinstance(raw, str):
        msg = "is a list or a mapping; give one text"
        raise ValueError(msg)  # noqa: TRY004 - one kind of error for everything that cannot be taken
    return raw.strip()


def name(raw: Json) -> str:
    """The name of an application or an environment."""
    if not is_name(found := text(raw)):
        msg = f"is {found!r}; a name looks like {NAME_PATTERN}, as in billing or prod-eu"
        raise ValueError(msg)
    return found


def texts(raw: Json) -> tuple[str, ...]:
    """`a,b` or a list."""
    parts = raw if isinstance(raw, list) else text(raw).split(",")
    return tuple(part for part in map(text, parts) if part)


def urls(raw: Json) -> tuple[str, ...]:
    """Base URLs of the control plane, in order of preference."""
    found = texts(raw)
    for each in found:
        parts = urlsplit(each)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            msg = "holds something else than URLs; give them as https://trimtab.example.com[,https://…]"
            raise ValueError(msg)
        if parts.username or parts.password:
            msg = "carries credentials; give them as TRIMTAB_AGENT_TOKEN"
            raise ValueError(msg)
    return tuple(each.rstrip("/") for each in found)


def amqp_url(raw: Json) -> str:
    """The broker's URL."""
    found = text(raw)
    parts = urlsplit(found)
    if parts.scheme not in {"amqp", "amqps"} or not parts.hostname:
        msg = "is no broker's URL; give it as amqp://user:password@host:5672/vhost"
        raise ValueError(msg)
    return found


def probe(raw: Json) -> "Target":
    """How the application is asked."""
    from agent.probing.target import read_target  # noqa: PLC0415 - who has no probe does not pay for its forms

    return read_target(text(raw))


def count(raw: Json) -> int:
    """A small whole number from 1."""
    found = text(raw)
    if not found.isdecimal() or not 1 <= int(found) <= _MAX_FAILURES:
        msg = f"is {found!r}; give a whole number from 1 to {_MAX_FAILURES}"
        raise ValueError(msg)
    return int(found)


def secret(raw: Json) -> str:
    """A token."""
    if not (found := text(raw)).isascii() or not found.isprintable() or " " in found:
        msg = "is not a token: it has blanks or characters other than ASCII; copy it again"
        raise ValueError(msg)
    return found


def local_token(raw: Json) -> str:
    """A token that the application shows to the agent."""
    if len(found := secret(raw)) < _MIN_LOCAL_TOKEN:
        msg = f"is shorter than {_MIN_LOCAL_TOKEN} characters; make one with `openssl rand -hex 32`"
        raise ValueError(msg)
    return found


def signing_keys(raw: Json) -> Mapping[str, bytes]:
    """Public keys by their ids."""
    found: dict[str, bytes] = {}
    for each in texts(raw):
        kid, _, key = each.partition(":")
        try:
            found[kid.strip()] = decoded(key.strip(), KEY_BYTES)
        except ValueError:
            msg = "is no list of keys; give them as id:key, as the control plane shows them at /api/v1/signing-keys"
            raise ValueError(msg) from None
    return found


def path(raw: Json) -> Path:
    """A path; a relative one starts at the working directory."""
    return Path(text(raw)).expanduser().absolute()


def paths(raw: Json) -> tuple[Path, ...]:
    """Several, comma separated or as a list."""
    return tuple(path(each) for each in texts(raw))


def secure_url(raw: Json) -> str:
    """A URL to which secrets may be sent: over TLS, or on this very machine."""
    found = text(raw)
    parts = urlsplit(found)
    here = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if not parts.hostname or (parts.scheme != "https" and not (parts.scheme == "http" and here)):
        msg = "is no place for secrets; give it as https://vault.example.com (http only on this machine)"
        raise ValueError(msg)
    if parts.username or parts.password or parts.query or parts.fragment:
        msg = "is more than a URL; give it without user, query and fragment"
        raise ValueError(msg)
    return found.rstrip("/")


def some_of(*choices: str) -> Callable[[Json], tuple[str, ...]]:
    """Some of a few words."""
    one = one_of(*choices)
    return lambda raw: tuple(str(one(each)) for each in texts(raw))


def listen(raw: Json) -> Listen:
    """Where to listen."""
    found = Listen.parse(text(raw))
    if found.path is not None and (not found.path.is_absolute() or len(str(found.path).encode()) > _MAX_SOCKET_PATH):
        msg = f"is no usable socket; give an absolute path of at most {_MAX_SOCKET_PATH} bytes, unix:/run/trimtab/agent.sock"
        raise ValueError(msg)
    return found


def labels(raw: Json) -> Mapping[str, str]:
    """`a=b,c=d` or a mapping."""
    if isinstance(raw, dict):
        found = {text(key): text(value) for key, value in raw.items()}
    else:
        pairs = [part.partition("=") for part in texts(raw)]
        found = {key.strip(): value.strip() for key, equals, value in pairs if equals}
        if len(found) != len(pairs):
            msg = "is not a list of labels; give them as region=eu,tier=web, each name once"
            raise ValueError(msg)
    if len(found) > MAX_LABELS or not all(key and value for key, value in found.items()):
        msg = f"has more than {MAX_LABELS} labels or an empty one; give each a name and a value"
        raise ValueError(msg)
    return found


def instance(raw: Json) -> str:
    """A name of this agent among those of its app/environment."""
    if not _INSTANCE.fullmatch(found := text(raw)):
        msg = f"is {found!r}; give 1 to 128 letters, digits, dots, dashes or underscores"
        raise ValueError(msg)
    return found


def hosts(raw: Json) -> tuple[str, ...]:
    """Names without a port."""
    found = tuple(each.strip("[]").lower() for each in texts(raw))
    if not all(_HOST.fullmatch(each) for each in found):
        msg = "holds something else than host names; give them without scheme and port, as agent,agent.local"
        raise ValueError(msg)
    return found


def origins(raw: Json) -> tuple[str, ...]:
    """Origins as browsers send them."""
    found = tuple(each.lower() for each in texts(raw))
    if not all(_ORIGIN.fullmatch(each) for each in found):
        msg = "holds something else than origins; give each as https://app.example.com[:port], without a path; * is not one"
        raise ValueError(msg)
    return found


def seconds(raw: Json) -> float:
    """A positive number of seconds."""
    given = text(raw)
    try:
        found = float(given)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        msg = f"is {given!r}; give a number of seconds above 0"
        raise ValueError(msg)
    return found


def boolean(raw: Json) -> bool:
    """Yes or no."""
    if (found := text(raw).lower()) not in _TRUE + _FALSE:
        msg = f"is {raw!r}; give true or false"
        raise ValueError(msg)
    return found in _TRUE


def mode(raw: Json) -> int:
    """A file's mode in octal digits."""
    given = text(raw)
    try:
        found = int(given, 8)
    except ValueError:
        found = -1
    if not 0 <= found <= _MAX_MODE:
        msg = f"is {given!r}; give it in octal digits, as 0640"
        raise ValueError(msg)
    return found


def one_of(*choices: str) -> Callable[[Json], str]:
    """One of a few words, in any case."""

    def parse(raw: Json) -> str:
        found = text(raw).lower()
        for choice in choices:
            if choice.lower() == found:
                return choice
        msg = f"is {raw!r}; give one of {', '.join(choices)}"
        raise ValueError(msg)

    return parse


def signal_name(raw: Json) -> signal.Signals:
    """`HUP` or `SIGHUP`."""
    found = text(raw).upper().removeprefix("SIG")
    if (number := signal.Signals.__members__.get(f"SIG{found}")) is None:
        msg = f"is {raw!r}; give a signal's name, as HUP, USR1 or TERM"
        raise ValueError(msg)
    return number


def variables(raw: Json) -> Mapping[str, str]:
    """`db.url=DATABASE_URL,…` or a mapping."""
    if isinstance(raw, dict):
        pairs = [(text(key), text(value)) for key, value in raw.items()]
    else:
        pairs = [(part.partition("=")[0].strip(), part.partition("=")[2].strip()) for part in texts(raw)]
    names = [each for _, each in pairs]
    if len(set(names)) < len(names) or len(dict(pairs)) < len(pairs) or not all(map(_VARIABLE.fullmatch, names)):
        msg = "is not a list of names for variables; give them as db.url=DATABASE_URL,db.pool=POOL, each once"
        raise ValueError(msg)
    return dict(pairs)


def inherited(raw: Json) -> tuple[str, ...] | None:
    """`all` (None), `none`, or names."""
    found = texts(raw)
    if found in {("all",), ("none",)}:
        return None if found == ("all",) else ()
    if not all(map(_VARIABLE.fullmatch, found)):
        msg = "holds something else than names of variables; give all, none or PATH,HOME,LANG"
        raise ValueError(msg)
    return found


def nearest(wrong: str, known: tuple[str, ...]) -> str:
    """A hint at what was probably meant."""
    from difflib import get_close_matches  # noqa: PLC0415 - only for those who mistyped

    close = get_close_matches(wrong, known, 1, 0.6)
    return f"; did you mean {close[0]!r}?" if close else f"; known are {', '.join(known)}"
