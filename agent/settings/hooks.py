"""What the settings say of checks, reloads and health gates of file sets."""

import shlex
from typing import TypeVar

from agent.files.hooks import COMMAND_TIMEOUT, POST_TIMEOUT, Command, HealthGate, Hook, Post, Signal
from agent.settings import parsers
from agent.settings.members import Members, MistakesError
from shared.domain.codec import Json

T = TypeVar("T")

_KINDS = ("command", "signal", "post")
_MAX_SECONDS = 3_600.0


def command(raw: Json, place: str) -> Command:
    """`nginx -t`, `[nginx, -t]` or `{command, timeout}`.

    Raises:
        MistakesError: it is none of them.
    """
    members = _opened(raw, "command", place)
    return _closed(members, _command(members))


def hook(raw: Json, place: str) -> Hook:
    """A command, or `{signal, pid_file | process}`, `{command, timeout}`, `{post, timeout, body}`.

    Raises:
        MistakesError: it is none of them.
    """
    members = _opened(raw, "command", place)
    found = _hook(members)
    members.close()
    if members.mistakes or found is None:
        raise MistakesError(members.mistakes)
    return found


def health(raw: Json, place: str) -> HealthGate:
    """A probe, or `{probe, within, successes, interval, timeout}`.

    Raises:
        MistakesError: it is neither.
    """
    members = _opened(raw, "probe", place)
    return _closed(members, _health(members))


def seconds(raw: Json) -> float:
    """Seconds that somebody waits at most."""
    if (found := parsers.seconds(raw)) > _MAX_SECONDS:
        msg = f"is {raw!r}; give at most {_MAX_SECONDS:g} seconds"
        raise ValueError(msg)
    return found


def _opened(raw: Json, short: str, place: str) -> Members:
    """The members of a mapping, or of what stands for its `short` one."""
    return Members(raw if isinstance(raw, dict) else {short: raw}, place, [])


def _closed(members: Members, found: T | None) -> T:
    members.close()
    if members.mistakes or found is None:
        raise MistakesError(members.mistakes)
    return found


def _hook(members: Members) -> Hook | None:
    given = [kind for kind in _KINDS if members.has(kind)]
    if len(given) != 1:
        members.wrong("", f"has {' and '.join(given) or 'nothing to do'}; give one of {', '.join(_KINDS)}")
        for name in (*_KINDS, "timeout", "pid_file", "process", "body"):
            members.raw(name)
        return None
    match given[0]:
        case "signal":
            return _signal(members)
        case "post":
            return _post(members)
        case _:
            return _command(members)


def _command(members: Members) -> Command | None:
    words = members.take("command", _words, ())
    timeout = members.take("timeout", seconds, COMMAND_TIMEOUT)
    if not words and not members.mistakes:
        members.wrong("command", "is missing; give the program and its words, as [nginx, -t]")
    return Command(words, timeout) if words else None


def _signal(members: Members) -> Signal | None:
    number = members.take("signal", parsers.signal_name, None)
    pid_file = members.take("pid_file", parsers.path, None)
    process = members.take("process", parsers.text, "")
    if (pid_file is None) == (not process):
        members.wrong("", "does not say to whom the signal goes; give `pid_file` or `process`, one of them")
    return Signal(number, pid_file, process) if number is not None else None


def _post(members: Members) -> Post | None:
    url = members.take("post", _url, "")
    timeout = members.take("timeout", seconds, POST_TIMEOUT)
    body = members.take("body", parsers.boolean, True)
    return Post(url, timeout, body) if url else None


def _health(members: Members) -> HealthGate | None:
    target = members.take("probe", parsers.probe, None)
    if target is None and not members.has("probe"):
        members.wrong("probe", "is missing; give http://127.0.0.1:8080/health, tcp://127.0.0.1:5432 or exec:command")
    within = members.take("within", seconds, 30.0)
    successes = members.take("successes", parsers.count, 1)
    interval = members.take("interval", seconds, 1.0)
    timeout = members.take("timeout", seconds, 2.0)
    return None if target is None else HealthGate(target, within, successes, interval, timeout)


def _words(raw: Json) -> tuple[str, ...]:
    try:
        words = tuple(map(parsers.text, raw)) if isinstance(raw, list) else tuple(shlex.split(parsers.text(raw)))
    except ValueError as error:
        msg = f"is no command ({error}); give the program and its words, as [nginx, -t]"
        raise ValueError(msg) from error
    return words


def _url(raw: Json) -> str:
    found = parsers.text(raw)
    scheme, _, rest = found.partition("://")
    if scheme not in {"http", "https"} or not rest or "@" in rest.partition("/")[0]:
        msg = "is no URL without credentials; give it as http://127.0.0.1:8080/reload"
        raise ValueError(msg)
    return found
