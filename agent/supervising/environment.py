"""Configs as environment variables, named as in dotenv files; what cannot be one is an error that names the key only."""

import os
import re
from collections.abc import Iterator, Mapping

from agent.files.dotenv import UnrenderableError, variable_name
from agent.snapshot.model import Snapshot
from agent.supervising.plan import Selection
from shared.domain.codec import Json, decode, encode
from shared.domain.context import EvaluationContext

MAX_VARIABLE = 128 * 1024
"""Bytes of one `NAME=value` with its end: the kernel takes no more (MAX_ARG_STRLEN)."""
MAX_TOTAL = 6 * 1024 * 1024
"""Bytes of all of them and the arguments, whatever the stack's limit says."""
_POINTER = 8
_SPARE = 4_096

_OURS = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES")
"""What the service manager said to us. Our settings, tokens among them, all begin with TRIMTAB_."""
_DECIDES_WHAT_RUNS = re.compile(
    r"(?:LD|DYLD|CORECLR|COR)_.*|DOTNET_STARTUP_HOOKS|PATH|GCONV_PATH|OPENSSL_(?:CONF|ENGINES|MODULES)"
    r"|BASH_ENV|BASHOPTS|SHELLOPTS|PS4|PROMPT_COMMAND|IFS|NODE_(?:OPTIONS|PATH)|PERL5?(?:OPT|LIB|DB)"
    r"|(?:JAVA_TOOL|JDK_JAVA|_JAVA)_OPTIONS|CLASSPATH|PYTHON(?:PATH|HOME|STARTUP|WARNINGS|BREAKPOINT)"
    r"|RUBY(?:OPT|LIB)|PHPRC|PHP_INI_SCAN_DIR|LUA_(?:INIT|C?PATH)"
)
"""No config becomes one of these by its key alone: whoever writes configs would choose what runs. A rename may."""


class Environment:
    """Makes the application's variables of a snapshot: for the agent itself (`own`), since nobody asks for them."""

    def __init__(
        self, selection: Selection, own: EvaluationContext, command: tuple[str, ...], given: Mapping[str, str]
    ) -> None:
        self._selection, self._own = selection, own
        self._arguments = sum(len(os.fsencode(each)) + 1 + _POINTER for each in command)
        self._given = dict(given)
        self._inherited = {name: value for name, value in os.environ.items() if self._inherits(name)}
        self.left_out: tuple[str, ...] = ()
        """Keys that were not taken because of the name that they would have."""
        self.keys: tuple[str, ...] = ()

    def at(self, snapshot: Snapshot, now_ms: int) -> dict[str, str]:
        """All variables of the application at one moment.

        Raises:
            UnrenderableError: a value cannot be one, or they are too many; the text names keys, never values.
        """
        keys = sorted(key for key in snapshot.effective if key.startswith(self._selection.prefixes or ""))
        if awaited := [key for key in keys if key in snapshot.unresolved]:
            msg = f"the secret of {awaited[0]!r} cannot be had: {snapshot.unresolved[awaited[0]]}"
            raise UnrenderableError(msg)
        found = snapshot.program.resolutions(keys, self._own, now_ms)
        owners: dict[str, str] = {}
        variables: dict[str, str] = {}
        for key in (key for key in keys if found[key].value):
            if (name := self._name(key)) is None:
                continue
            if (other := owners.setdefault(name, key)) is not key:
                msg = f"{other!r} and {key!r} would both be {name}; rename one of them (--env-rename)"
                raise UnrenderableError(msg)
            variables[name] = _checked(key, name, _text(decode(found[key].value)))
        self.left_out = tuple(key for key in keys if self._name(key) is None)
        self.keys = tuple(owners.values())
        return self._whole(variables)

    def _whole(self, variables: Mapping[str, str]) -> dict[str, str]:
        everything = {**self._inherited, **variables, **self._given}
        size = sum(len(os.fsencode(name)) + len(os.fsencode(each)) + 2 + _POINTER for name, each in everything.items())
        if size + self._arguments + _SPARE > (limit := min(os.sysconf("SC_ARG_MAX"), MAX_TOTAL)):
            msg = f"the environment would have {size} bytes, the system takes {limit} with the arguments; select fewer configs by prefix"
            raise UnrenderableError(msg)
        return everything

    def _name(self, key: str) -> str | None:
        if (renamed := self._selection.renames.get(key)) is not None:
            return renamed
        name = variable_name(self._stripped(key) or key)
        return None if name.startswith("TRIMTAB_") or _DECIDES_WHAT_RUNS.fullmatch(name) else name

    def _stripped(self, key: str) -> str:
        if not self._selection.strip_prefix:
            return key
        longest = max((each for each in self._selection.prefixes if key.startswith(each)), key=len, default="")
        return key.removeprefix(longest)

    def _inherits(self, name: str) -> bool:
        if name.startswith("TRIMTAB_") or name in _OURS:
            return False
        return self._selection.inherit is None or name in self._selection.inherit


def changed_names(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[str]:
    """The names of variables that came, went or have another value."""
    return (name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name))


def _checked(key: str, name: str, text: str) -> str:
    try:
        size = len(name) + len(text.encode()) + 2
    except UnicodeEncodeError as error:
        msg = f"the value of {key!r} holds half a surrogate pair, which no environment variable can"
        raise UnrenderableError(msg) from error
    if "\0" in text:
        msg = f"the value of {key!r} holds a NUL character, which no environment variable can"
        raise UnrenderableError(msg)
    if size > MAX_VARIABLE:
        msg = f"the value of {key!r} makes a variable of {size} bytes, the system takes {MAX_VARIABLE}; read it over HTTP or from a file"
        raise UnrenderableError(msg)
    return text


def _text(value: Json) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else encode(value).decode()
