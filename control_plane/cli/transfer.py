"""`trimtab export` and `trimtab import`: all configs as files that people read, review and keep."""

from pathlib import Path
from typing import Annotated

import typer

from control_plane.cli.calling import Api
from control_plane.cli.intent import Intent
from control_plane.cli.receipt import show_receipt
from control_plane.cli.spread import spread
from control_plane.cli.terminal import EXIT_USAGE, fail, show, show_table, tell
from control_plane.cli.values import place
from shared.domain.codec import Json, MalformedJsonError, decode

_FORMATS = {".yaml": "yaml", ".yml": "yaml", ".json": "json"}
_EVERYTHING = "everything"
_PATIENCE = 120.0
"""Seconds for an answer: a whole installation takes a while."""


def register(app: typer.Typer, panel: str) -> None:
    """Add the commands."""
    app.command("export", rich_help_panel=panel)(spread(export))
    app.command("import", rich_help_panel=panel)(spread(import_))


def export(
    path: Annotated[Path, typer.Argument(help="A directory, or a file that ends in .yaml or .json. `-`: the screen.")],
    *,
    app: Annotated[str | None, typer.Option(help="Only this application. Without it: everything.")] = None,
    sensitive: Annotated[str, typer.Option(help="omit sensitive values, or seal them with the server's key.")] = "omit",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that were edited, too.")] = False,
    api: Api,
) -> None:
    """Write all configs to a directory tree or a single file. Only what changed is written.

    Example: `trimtab export configs/` and `trimtab export --app billing billing.yaml`
    """
    form = _FORMATS.get(path.suffix)
    if str(path) == "-" or (form is not None and not path.is_dir()):
        _export_file(path, _fetch(api, app, sensitive, form or "yaml"))
    else:
        document = decode(_fetch(api, app, sensitive, "json"))
        _export_tree(path, document, app or _EVERYTHING, overwrite=overwrite)


def import_(
    path: Annotated[Path, typer.Argument(help="What `trimtab export` wrote: a directory or a file.")],
    *,
    on_conflict: Annotated[
        str, typer.Option(help="What to do with what others changed since: refuse, overwrite or keep.")
    ] = "refuse",
    prune: Annotated[bool, typer.Option("--prune", help="Delete what the documents do not name.")] = False,
    create_missing: Annotated[
        bool, typer.Option("--create-missing", help="Register unknown applications and environments.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")] = False,
    intent: Intent,
    api: Api,
) -> None:
    """Bring the configs to what a directory or a file says, as one change. Shows what it would do and asks first.

    Example: `trimtab import configs/ --dry-run`, then `trimtab import configs/ -m "Larger pools"`
    """
    rules = {"on_conflict": on_conflict, "prune": prune, "create_missing": create_missing}
    asked = _read(path) | rules | intent.members()
    preview = _send(api, asked | {"dry_run": True})
    if intent.dry_run:
        api.show(preview, _show_preview)
        return
    if not api.json:
        _show_preview(preview)
    if preview["change"] is None and not preview["registered"]:
        if api.json:
            api.show(preview, _show_preview)
        return
    if not yes and not typer.confirm("Do it?", err=True):
        fail("nothing was changed")
    api.show(_send(api, asked | {"base_revision": preview["revision"]}), _show_done)


def _fetch(api: Api, app: str | None, sensitive: str, form: str) -> bytes:
    with api.calling(_PATIENCE) as client:
        return client.read("/api/v1/export", {"app_id": app, "sensitive": sensitive, "format": form})


def _send(api: Api, document: Json) -> Json:
    with api.calling(_PATIENCE) as client:
        return client.post("/api/v1/import", document)


def _export_file(path: Path, content: bytes) -> None:
    from shared.runtime.whole_file import write_if_changed  # noqa: PLC0415 - what only this command needs

    if str(path) == "-":
        show(content.decode().rstrip("\n"))
        return
    try:
        changed = write_if_changed(path, content, 0o644)
    except OSError as error:
        fail(f"{path} cannot be written: {error}")
    tell(f"{path} {'written' if changed else 'is as it should be'}")


def _export_tree(directory: Path, document: Json, of: str, *, overwrite: bool) -> None:
    from control_plane.cli.tree import TreeError  # noqa: PLC0415 - reading YAML costs start-up time
    from control_plane.cli.tree_files import write_tree  # noqa: PLC0415

    try:
        done = write_tree(directory, document, of, overwrite=overwrite)
    except (TreeError, OSError) as error:
        fail(str(error))
    for name in done.written:
        show(f"written  {name}")
    for name in done.deleted:
        show(f"deleted  {name}")
    tell(f"revision {document['revision']}: {len(done.written)} written, {done.unchanged} unchanged")


def _read(path: Path) -> dict[str, Json]:
    from control_plane.cli.tree import TreeError, read_file, read_tree  # noqa: PLC0415 - reading YAML costs start-up time

    try:
        if path.is_dir():
            return read_tree(path)
        document = decode(path.read_bytes()) if path.suffix == ".json" else read_file(path)
    except (TreeError, OSError) as error:
        fail(str(error), EXIT_USAGE)
    except MalformedJsonError as error:
        fail(f"{path}: {error}", EXIT_USAGE)
    if not isinstance(document, dict):
        fail(f"{path}: this is no document of configs", EXIT_USAGE)
    return document


def _show_preview(preview: Json) -> None:
    for each in preview["registered"]:
        show(f"register {place(each)}")
    rows = [
        [each["effect"], place(each), each["key"], ", ".join(each["differs"]), each["detail"]]
        for each in preview["outcomes"]
    ]
    if rows:
        show_table(["would be", "of", "key", "differs in", ""], rows)
    counts = ", ".join(f"{count} {name}" for name, count in preview["counts"].items() if count)
    show(counts or "the documents name nothing")
    if preview["change"] is not None:
        show_receipt(preview["change"])


def _show_done(answer: Json) -> None:
    if answer["change"] is None:
        show("registered; there was nothing to change")
    else:
        show_receipt(answer["change"])
