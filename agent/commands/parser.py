"""The command line: commands, flags, and help that teaches. A mistake is one line that says what was probably meant."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from agent.commands.saying import EXIT_USAGE, say
from agent.settings.flags import add_flags
from agent.settings.load import CONFIG_VARIABLE
from agent.settings.parsers import nearest

RENDER_PATIENCE = 30.0
"""Seconds that `render --once` waits for the control plane unless told otherwise."""

REST = "--"
"""What comes after it is not for us."""

_DESCRIPTION = """\
Follows the control plane for one application/environment and hands out its configs on this machine: over HTTP
(http://127.0.0.1:2772/v1/values/<key>, or a unix socket), as files, and as the environment of a program.
It keeps serving what it last knew when everything else is away.
"""
_EPILOG = f"""\
start here:
    trimtab-agent --app billing --environment prod --control-plane-url https://trimtab.example.com \\
                  --token-file /run/secrets/trimtab
    curl http://127.0.0.1:2772/v1/values/db.pool

settings:
  Flags win over environment variables (TRIMTAB_APP=billing …), and those over a YAML file (--config FILE or
  {CONFIG_VARIABLE}). `trimtab-agent run --help` lists all of them. Secrets are no flags, everybody could read them:
  TRIMTAB_AGENT_TOKEN, or a file by --token-file.

exit codes:
  0 done, or healthy   1 not healthy, or not rendered   2 cannot start: the settings, the address or the state directory
"""


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, instead of the whole usage."""

    def error(self, message: str) -> NoReturn:
        """End with that line."""
        say(f"{message}; see {self.prog} --help")
        raise SystemExit(EXIT_USAGE)


def parse(parser: Parser, commands: Sequence[Parser], arguments: Sequence[str]) -> argparse.Namespace:
    """The options; each flag that there is not gets a line that names the nearest."""
    at = list(arguments).index(REST) if REST in arguments else len(arguments)
    ours, rest = arguments[:at], arguments[at + 1 :]
    known = tuple(dict.fromkeys(flag for each in (parser, *commands) for flag in _flags(each)))
    strange = [
        flag for flag in (each.partition("=")[0] for each in ours) if flag.startswith("--") and flag not in known
    ]
    for flag in strange:
        hint = nearest(flag, known)
        say(f"{flag} is not a flag{hint if '?' in hint else '; see --help'}")
    if strange:
        raise SystemExit(EXIT_USAGE)
    options = parser.parse_args(ours)
    options.words = tuple(rest)
    if at < len(arguments) and not options.takes_words:
        parser.error(f"only exec takes a command after {REST}")
    return options


def _flags(parser: Parser) -> tuple[str, ...]:
    return tuple(flag for action in parser._actions for flag in action.option_strings)  # noqa: SLF001 - it has no other list


def add_command(commands: "argparse._SubParsersAction[Parser]", name: str, told: str, details: str = "") -> Parser:
    """A command with all settings as flags."""
    command = commands.add_parser(
        name,
        help=told,
        description=details or told,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "--config", type=Path, metavar="FILE", help="YAML file with settings", default=argparse.SUPPRESS
    )
    add_flags(command, name)
    return command


def top_level() -> Parser:
    """The program itself, which is `run` if no command is named."""
    parser = Parser(
        "trimtab-agent",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(takes_words=False)
    parser.add_argument("--version", action="store_true", help="show the version and exit")
    parser.add_argument("--config", type=Path, metavar="FILE", help="YAML file with settings", default=None)
    add_flags(parser, hidden=True)
    return parser
