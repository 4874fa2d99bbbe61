"""`trimtab-agent`: run the agent, alone or with the application, or ask one how it is. Imports what a command needs."""

import sys
from collections.abc import Callable, Sequence

from agent.commands import asking, executing, running
from agent.commands.parser import RENDER_PATIENCE, Parser, add_command, parse, top_level
from agent.commands.saying import EXIT_USAGE, say
from agent.settings.load import SettingsError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser, commands = _parsers()
    options = parse(parser, commands, sys.argv[1:] if arguments is None else arguments)
    command: Callable[..., int] = running.version if options.version else options.command
    try:
        return command(options)
    except SettingsError as error:
        for problem in error.problems:
            say(problem)
    except asking.AddressError as error:
        say(str(error))
    return EXIT_USAGE


def _parsers() -> tuple[Parser, list[Parser]]:
    parser = top_level()
    parser.set_defaults(command=running.run)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    add_command(commands, "run", "run the agent until SIGTERM (the default)").set_defaults(command=running.run)
    exec_ = add_command(
        commands, "exec", "run the agent and a command with configs as its environment", executing.DETAILS
    )
    exec_.epilog = executing.EPILOG
    exec_.set_defaults(command=executing.execute, takes_words=True)
    for name, text in (("health", "whether the agent is alive"), ("ready", "whether the agent has what it must serve")):
        probe = add_command(commands, name, f"{text}: exit code 0 or 1, and one line")
        _asks(probe)
        probe.set_defaults(command=asking.probe, path=f"/{name}z")
    status = add_command(commands, "status", "how a running agent stands, for people; exit code 1 if it is not ready")
    _asks(status)
    status.add_argument("--json", action="store_true", help="the whole of /status instead")
    status.set_defaults(command=asking.status)
    fallback = add_command(
        commands, "fallback", "end a fallback by hand: give the application the newest snapshot again"
    )
    _asks(fallback)
    fallback.add_argument("--end", action="store_true", required=True, help="the only thing that is done by hand")
    fallback.set_defaults(command=asking.end_fallback)
    render = add_command(commands, "render", "write the rendered files once, then exit")
    render.add_argument(
        "--once", action="store_true", required=True, help="the only mode; `run` keeps files up to date"
    )
    render.add_argument("--dry-run", action="store_true", help="write nothing; say what would be written and called")
    render.add_argument("--timeout", type=float, default=RENDER_PATIENCE, help="seconds to wait (default: %(default)g)")
    render.set_defaults(command=running.render)
    return parser, list(commands.choices.values())


def _asks(command: Parser) -> None:
    command.add_argument("--url", help="http://host:port or unix:/path, instead of the settings' address")


if __name__ == "__main__":
    sys.exit(main())
