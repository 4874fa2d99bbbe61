"""The operations of a change as they are given on the command line, or in a file."""

from dataclasses import dataclass
from typing import Annotated

import typer

from control_plane.cli.options import App, Environment
from control_plane.cli.terminal import EXIT_USAGE, fail
from control_plane.cli.values import read_text, read_value
from shared.domain.codec import Json, MalformedJsonError, decode

_PANEL = "Operations"


@dataclass(frozen=True)
class Place:
    """A scope: global, an application's, or one environment's."""

    app: App = None
    environment: Environment = None

    def members(self) -> dict[str, Json]:
        """The members of a request that say which scope it is about."""
        if self.environment is not None and self.app is None:
            fail("an environment belongs to an application: give --app as well", EXIT_USAGE)
        return {"app_id": self.app, "environment": self.environment}


@dataclass(frozen=True)
class Operations(Place):
    """Operations in one scope from options, and any others from a file."""

    put: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Give KEY a value: JSON, or a text as it is.", rich_help_panel=_PANEL),
    ] = None
    delete: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Take KEY away from this scope.", rich_help_panel=_PANEL)
    ] = None
    mask: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", help="Hide KEY here, whatever less specific scopes say.", rich_help_panel=_PANEL),
    ] = None
    unmask: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Take the mask of KEY away.", rich_help_panel=_PANEL)
    ] = None
    file: Annotated[
        str | None,
        typer.Option(help="JSON as for POST /api/v1/changes, or `-`; options add to it.", rich_help_panel=_PANEL),
    ] = None
    base_revision: Annotated[
        int | None, typer.Option(min=0, help="Refuse it if one of its keys moved since.", rich_help_panel=_PANEL)
    ] = None

    @property
    def any_given(self) -> bool:
        """Whether there is anything to be done at all."""
        return any((self.put, self.delete, self.mask, self.unmask, self.file))

    def document(self) -> dict[str, Json]:
        """The request so far: what the file says, with the operations of the options after its own."""
        document = self._from_file()
        operations = [*document.get("operations", []), *self._from_options()]
        if not operations:
            fail("nothing to do: give --put KEY=VALUE, --delete KEY, --mask KEY, --unmask KEY or --file", EXIT_USAGE)
        given = {} if self.base_revision is None else {"base_revision": self.base_revision}
        return document | {"operations": operations} | given

    def _from_options(self) -> list[Json]:
        scope = self.members()
        puts = [each.partition("=") for each in self.put or ()]
        if wrong := next((key for key, equals, _ in puts if not equals), None):
            fail(f"--put {wrong!r} is not KEY=VALUE", EXIT_USAGE)
        operations: list[Json] = [{"op": "put", "key": key, "value": read_value(text)} for key, _, text in puts]
        for op, keys in (("delete", self.delete), ("mask", self.mask), ("unmask", self.unmask)):
            operations += [{"op": op, "key": key} for key in keys or ()]
        return [each | scope for each in operations]

    def _from_file(self) -> dict[str, Json]:
        if self.file is None:
            return {}
        try:
            document = decode(read_text(self.file if self.file == "-" else f"@{self.file}"))
        except MalformedJsonError as error:
            fail(f"{self.file} is not JSON: {error}", EXIT_USAGE)
        if isinstance(document, list):
            return {"operations": document}
        if not isinstance(document, dict):
            fail(f"{self.file} is neither a change nor a list of operations", EXIT_USAGE)
        return document
