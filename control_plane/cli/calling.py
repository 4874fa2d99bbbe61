"""How a command speaks to the API: a client, whose errors end the command in plain words."""

from collections.abc import Iterator
from contextlib import contextmanager

from control_plane.cli.client import Client, ClientError
from control_plane.cli.terminal import EXIT_USAGE, fail
from shared.wire.codec import Json


@contextmanager
def calling(url: str, token: str) -> Iterator[Client]:
    """A client for the block; what goes wrong in it is told, and ends the program."""
    try:
        yield Client(url, token)
    except ClientError as error:
        fail(str(error))


def scope_of(app: str | None, environment: str | None) -> dict[str, Json]:
    """The members of a request that say which scope it is about."""
    if environment is not None and app is None:
        fail("an environment belongs to an application: give --app as well", EXIT_USAGE)
    return {"app_id": app, "environment": environment}
