"""How a command speaks to the API: a client, whose errors end the command in plain words."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from control_plane.cli.client import PATIENCE, Client, ClientError
from control_plane.cli.kept_sessions import token_for
from control_plane.cli.options import DEFAULT_URL, AsJson, Token, Url
from control_plane.cli.terminal import fail, show_json
from shared.domain.codec import Json


@contextmanager
def calling(url: str, token: str, timeout: float = PATIENCE) -> Iterator[Client]:
    """A client for the block; what goes wrong in it is told, and ends the program."""
    try:
        yield Client(url, token, timeout)
    except ClientError as error:
        fail(str(error))


@dataclass(frozen=True)
class Api:
    """Which API a command speaks to, as whom, and how it shows what that answers."""

    url: Url = DEFAULT_URL
    token: Token = ""
    json: AsJson = False

    def calling(self, timeout: float = PATIENCE) -> AbstractContextManager[Client]:
        """A client for the block; what goes wrong in it is told, and ends the program."""
        return calling(self.url, token_for(self.url, self.token), timeout)

    def get(self, path: str, **query: str | int | None) -> Json:
        """Ask for one thing; parameters that are None are left out."""
        with self.calling() as client:
            return client.get(path, query)

    def pages(self, path: str, **query: str | int | None) -> list[Json]:
        """All items of a list."""
        with self.calling() as client:
            return list(client.pages(path, query))

    def post(self, path: str, document: Json) -> Json:
        """Ask for something to be done."""
        with self.calling() as client:
            return client.post(path, document)

    def show(self, answer: Json, for_people: Callable[[Json], None]) -> None:
        """Show an answer: as it is to a program, in a person's words to a person."""
        if self.json:
            show_json(answer)
        else:
            for_people(answer)
