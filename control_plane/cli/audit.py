"""`trimtab audit`: who did what; and the proof that nobody altered the record of it."""

import hashlib
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer

from control_plane.cli.audit_file import Checked, check_file, write_whole
from control_plane.cli.calling import Api
from control_plane.cli.client import Client
from control_plane.cli.options import Limit
from control_plane.cli.spread import command
from control_plane.cli.terminal import EXIT_USAGE, fail, show, show_json, show_table, tell
from control_plane.cli.times import read_moment
from control_plane.cli.values import moment
from shared.domain.codec import Json

_PATH = "/api/v1/audit"
_PATIENCE = 120.0
"""Seconds for an answer: a long chain takes a while."""
_HASH = re.compile("[0-9a-f]{64}")

group = typer.Typer(help="Who did what, and the proof of it.", no_args_is_help=True)
To = Annotated[Path, typer.Option("--to", help="The file to write; it must not be there yet. `-`: standard output.")]


@dataclass(frozen=True)
class Where:
    """Which records."""

    actor: Annotated[str | None, typer.Option(help="Of this principal.")] = None
    action: Annotated[str | None, typer.Option(help="Whose action begins like this: change., api-key.created …")] = None
    object: Annotated[str | None, typer.Option(help="About this very thing: app.billing, change:<id> …")] = None
    app: Annotated[str | None, typer.Option(help="About this application.")] = None
    env: Annotated[str | None, typer.Option(help="About this environment of it.")] = None
    key: Annotated[str | None, typer.Option(help="About configs with this key.")] = None
    outcome: Annotated[str | None, typer.Option(help="That ended like this: done, denied.")] = None
    revision: Annotated[int | None, typer.Option(help="Of this revision's commit.")] = None
    request: Annotated[str | None, typer.Option(help="Of the request with this id.")] = None
    since: Annotated[str | None, typer.Option(metavar="WHEN", help="Not before: 2030-01-31T00:00:00Z, -2h …")] = None
    until: Annotated[str | None, typer.Option(metavar="WHEN", help="Before this time.")] = None

    @property
    def query(self) -> dict[str, str | int | None]:
        """As the API calls it."""
        return {
            "actor": self.actor,
            "action": self.action,
            "object": self.object,
            "app_id": self.app,
            "environment": self.env,
            "key": self.key,
            "outcome": self.outcome,
            "revision": self.revision,
            "request_id": self.request,
            "since": self.since and read_moment(self.since),
            "until": self.until and read_moment(self.until),
        }


@command(group, "list")
def list_records(*, where: Where, limit: Limit = 50, api: Api) -> None:
    """List audit records, newest first.

    Example: `trimtab audit list --app checkout --since -1d`
    """
    records: list[Json] = []
    with api.calling() as client:
        for record in client.pages(_PATH, where.query):
            records.append(record)
            if len(records) == limit:
                break
    api.show(records, _show_records)


@command(group, "export")
def export(
    *,
    to: To = Path("-"),
    form: Annotated[
        str, typer.Option("--format", help="ndjson (can be verified) or csv (for spreadsheets).")
    ] = "ndjson",
    after: Annotated[int | None, typer.Option(help="Records after this number.")] = None,
    through: Annotated[int | None, typer.Option(help="Records up to this number.")] = None,
    where: Where,
    api: Api,
) -> None:
    """Export audit records, oldest first. An export of all of them can be verified with the file alone."""
    query = where.query | {"format": form, "after": after, "through": through}
    with api.calling(_PATIENCE) as client:
        blocks = client.stream(f"{_PATH}/export", query)
        if str(to) == "-":
            for block in blocks:
                sys.stdout.buffer.write(block)
        else:
            write_whole(to, blocks)


@command(group, "verify")
def verify(
    *,
    file: Annotated[Path | None, typer.Option(help="Verify this export, with nothing but the file.")] = None,
    anchor: Annotated[
        str | None, typer.Option(help="With --file: the hash that its first record must go on from.")
    ] = None,
    installation: Annotated[
        str | None, typer.Option(help="With --file: the installation whose first record is in it, instead of --anchor.")
    ] = None,
    end: Annotated[str | None, typer.Option(help="With --file: the hash that its last record must have.")] = None,
    api: Api,
) -> None:
    """Verify that no record was altered, added or taken away; name the first that is wrong, and exit with 1.

    Example: `trimtab audit verify`, or `trimtab audit verify --file export.ndjson`
    """
    if file is None:
        if anchor or installation or end:
            fail("--anchor, --installation and --end are about a --file", EXIT_USAGE)
        with api.calling(_PATIENCE) as client:
            _tell_verified(api, _verify_online(client))
        return
    start = _first_link(anchor, installation)
    _tell_checked(api, file, check_file(file, start, _hash("--end", end)), anchored=start is not None)


@command(group, "archive")
def archive(
    *,
    to: Annotated[Path, typer.Option("--to", help="The file to write; it must not be there yet.")],
    through: Annotated[int, typer.Option(min=1, help="The last record to archive.")],
    api: Api,
) -> None:
    """Export the oldest records to a file, verify the file, then let it take their place in the database.

    Keep the file: it is the only copy. Later records go on from its last one.
    """
    with api.calling(_PATIENCE) as client:
        anchor = client.get(f"{_PATH}/verify", {"limit": 1})["anchor"]
        if through <= anchor["seq"]:
            fail(f"the records up to {anchor['seq']} are archived already", EXIT_USAGE)
        write_whole(to, client.stream(f"{_PATH}/export", {"after": anchor["seq"], "through": through}))
        found = check_file(to, bytes.fromhex(anchor["hash"]), None)
        if found.broken or found.last is None or found.last.seq != through:
            reason = found.broken.detail if found.broken else "it does not reach that far"
            fail(f"{to} cannot take the records' place, so nothing was archived: {reason}")
        document = {"through": through, "hash": found.last.hash.hex()}
        done = client.post(f"{_PATH}/archive", document, idempotency_key=str(uuid4()))
    api.show(
        done, lambda _: show(f"{done['count']} records up to {through} are in {to}, and no longer in the database")
    )


def _verify_online(client: Client) -> Json:
    checked = 0
    go_on: dict[str, str | int | None] = {}
    while True:
        found = client.get(f"{_PATH}/verify", go_on)
        checked += found["checked"]
        if found["complete"]:
            return found | {"checked": checked}
        go_on = {"after": found["verified"]["seq"], "hash": found["verified"]["hash"]}
        tell(f"{checked} records …")


def _tell_verified(api: Api, found: Json) -> None:
    api.show(found, _show_verified)
    if not found["intact"]:
        raise SystemExit(1)


def _show_verified(found: Json) -> None:
    if found["intact"]:
        head = found["head"]
        show(f"{found['checked']} records are whole, from {found['anchor']['seq'] + 1} to {head['seq']}")
        show(f"the last one has the hash {head['hash']}")
    else:
        show(f"record {found['broken']['seq']}: {found['broken']['detail']}")


def _tell_checked(api: Api, path: Path, found: Checked, *, anchored: bool) -> None:
    broken, last = found.broken, found.last
    if api.json:
        wrong = {"seq": broken.seq, "flaw": broken.flaw, "detail": broken.detail} if broken else None
        reached = {"seq": last.seq, "hash": last.hash.hex()} if last else None
        document = {"intact": broken is None, "first": found.first, "checked": found.count, "verified": reached}
        show_json(document | {"anchored": anchored, "broken": wrong})
    elif broken is not None:
        show(f"{path}: record {broken.seq}: {broken.detail}")
    elif last is None:
        show(f"{path} has no records")
    else:
        show(f"{found.count} records are whole, from {found.first} to {last.seq}")
        show(f"the last one has the hash {last.hash.hex()}")
        if not anchored:
            tell(
                "What the first one goes on from was not checked: give --anchor, or --installation for the very first."
            )
    if broken is not None:
        raise SystemExit(1)


def _first_link(anchor: str | None, installation: str | None) -> bytes | None:
    if anchor is not None and installation is not None:
        fail("--anchor and --installation say the same thing: give one", EXIT_USAGE)
    return hashlib.sha256(installation.encode()).digest() if installation else _hash("--anchor", anchor)


def _hash(option: str, text: str | None) -> bytes | None:
    if text is not None and not _HASH.fullmatch(text):
        fail(f"{option} is a hash of 64 hexadecimal digits", EXIT_USAGE)
    return bytes.fromhex(text) if text else None


def _show_records(records: Json) -> None:
    rows = [[str(each["seq"]), moment(each["at"]), *_what(each)] for each in records]
    show_table(["record", "at", "actor", "action", "object", "outcome", "from"], rows)


def _what(record: Json) -> list[str]:
    return [str(record[name]) for name in ("actor", "action", "object", "outcome", "address")]
