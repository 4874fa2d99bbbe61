"""`exec -- command …`: the agent as the parent of the application."""

import argparse

from agent.commands.running import certificates_later, finish, in_loop, origin_of, read_settings
from agent.commands.saying import EXIT_USAGE, say
from agent.supervising.init import be_init_if_first

EXIT_AGENT_FAILED = 125
"""The agent itself failed, before or while the command ran."""

DETAILS = """\
Runs the agent, and a command as its child: with configs as its environment variables (db.pool becomes DB_POOL), started
once the agent is ready, restarted or signalled when they change. The agent serves its local API meanwhile (the command
finds it as TRIMTAB_AGENT_URL), hands on signals, and ends as the command ends. As pid 1 it takes in orphans as well.

    trimtab-agent exec --app billing --environment prod --env-prefix db.,http. -- ./server --port 8080
"""
EPILOG = """\
exit codes:
  those of the command, 128 + n if signal n ended it
  124 the agent was not ready in time   125 the agent failed   126 the command cannot be run   127 there is no such command
  2   cannot start: the settings, the address or the state directory
"""


def execute(options: argparse.Namespace) -> int:
    """Run the agent and the command; returns the command's exit code."""
    command: tuple[str, ...] = options.words
    if not command:
        say("there is no command; give it after --, as in: trimtab-agent exec --env-prefix db. -- ./server --port 8080")
        return EXIT_USAGE
    be_init_if_first()
    settings = read_settings(options)
    with certificates_later():
        from agent.parent import exec_agent  # noqa: PLC0415 - only what the command needs

    outcome = [EXIT_AGENT_FAILED]

    async def whole() -> None:
        outcome[0] = await exec_agent(settings, command, origin_of(options, settings))

    try:
        return finish(lambda: in_loop(whole)) or outcome[0]
    except Exception as error:
        # The edge of the program: our failure must not look like one of the command's.
        import logging  # noqa: PLC0415

        logging.getLogger(__name__).exception("the agent failed", exc_info=error)
        return EXIT_AGENT_FAILED
