"""Each setting as a flag of the command line, made of the settings themselves: what they are called, what they mean."""

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from agent.settings import file_sets, parsers
from agent.settings.knob import Knob
from agent.settings.knobs import KNOBS

_DESTINATION = "setting:"
_ORDER = "Each flag wins over its variable, and that over the file of --config. Secrets are taken from files only."
_SHAPES: Mapping[Callable[..., Any], str] = {
    parsers.name: "NAME",
    parsers.urls: "URL[,URL…]",
    parsers.path: "PATH",
    parsers.listen: "HOST:PORT|unix:PATH",
    parsers.labels: "NAME=VALUE,…",
    parsers.seconds: "SECONDS",
    parsers.count: "N",
    parsers.mode: "0660",
    parsers.hosts: "HOST,…",
    parsers.texts: "TEXT,…",
    parsers.variables: "KEY=NAME,…",
    parsers.inherited: "all|none|NAME,…",
    parsers.signal_name: "SIGNAL",
    file_sets.files: "PATH,…",
    file_sets.file_sets: "PATH",
    parsers.probe: "http:…|tcp:…|exec:…",
}
"""What a value looks like, by how it is read."""


def add_flags(parser: argparse.ArgumentParser, command: str = "", *, hidden: bool = False) -> None:
    """Take every setting that is no secret as a flag of a command; `hidden` ones are not part of the help."""
    group = parser if hidden else parser.add_argument_group("settings", _ORDER)
    for field, knob in KNOBS.items():
        if not knob.flag or knob.command not in ("", command):
            continue
        told = argparse.SUPPRESS if hidden else _told(knob)
        if knob.parse is parsers.boolean:
            action = argparse.BooleanOptionalAction
            group.add_argument(
                knob.flag, action=action, dest=_DESTINATION + field, default=argparse.SUPPRESS, help=told
            )
        else:
            shape = _SHAPES.get(knob.parse, "WORD")
            group.add_argument(
                knob.flag, dest=_DESTINATION + field, default=argparse.SUPPRESS, help=told, metavar=shape
            )


def flags_of(options: argparse.Namespace) -> dict[str, str]:
    """The settings that were given as flags, as texts by field."""
    given = {name.removeprefix(_DESTINATION): value for name, value in vars(options).items() if _is_setting(name)}
    return {field: str(value).lower() if isinstance(value, bool) else value for field, value in given.items()}


def _is_setting(name: str) -> bool:
    return name.startswith(_DESTINATION)


def _told(knob: Knob) -> str:
    default = "required" if knob.required else f"default: {knob.default}" if knob.default else ""
    also = ", ".join(each for each in (knob.variable, default) if each)
    return f"{knob.meaning} [{also}]".replace("`", "").replace("%", "%%")
