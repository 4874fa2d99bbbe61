"""`trimtab keys`: the keys of the control plane itself."""

from typing import Annotated

import typer

from control_plane.cli.calling import Api
from control_plane.cli.spread import command
from control_plane.cli.terminal import fail, show, show_table, tell
from control_plane.cli.values import moment
from shared.domain.codec import Json

# What a command needs is imported when it runs (PLC0415), so that `--help` answers at once.
# ruff: noqa: PLC0415

_PATH = "/api/v1/keys"
_KINDS = ("data", "tokens", "messages", "broker", "wrapping")

group = typer.Typer(help="The keys of the control plane itself: make, show and replace them.", no_args_is_help=True)


@group.command()
def generate() -> None:
    """Make a key-encryption key and print it once.

    Give it to every replica as TRIMTAB_ENCRYPTION_KEY, or better as a file that TRIMTAB_ENCRYPTION_KEY_FILE names.
    """
    from control_plane.key_encryption.local import new_key

    show(new_key())
    tell("Keep a copy of it apart from the database's backups: without it, nothing sensitive can be read again.")


@command(group, "status")
def status(*, api: Api) -> None:
    """Show under which keys sensitive values lie, and which keys sign."""
    api.show(api.get(_PATH), _show_keys)


@command(group, "pins")
def pins(*, api: Api) -> None:
    """Print the public keys that sign for agents, as TRIMTAB_AGENT_SIGNING_KEYS takes them."""
    api.show(api.get("/api/v1/signing-keys"), _show_pins)


@command(group, "rotate")
def rotate(
    what: Annotated[
        str, typer.Argument(help="data, tokens, messages, broker, or wrapping (see `trimtab keys status`).")
    ],
    *,
    at_once: Annotated[
        bool, typer.Option("--at-once", help="Let a new signing key sign at once: the old one has leaked.")
    ] = False,
    api: Api,
) -> None:
    """Replace keys, while everything goes on.

    `data`: sensitive values get new keys, in the background. `tokens`, `messages`: another key signs those, in an hour.
    `broker`: the same of what agents log in with at the broker.
    `wrapping`: all keys are encrypted by the first key of TRIMTAB_ENCRYPTION_KEY; afterwards the others can go.
    """
    if what not in _KINDS:
        fail(f"there are no keys of the kind {what!r}: it is one of {', '.join(_KINDS)}")
    api.show(api.post(f"{_PATH}/rotate", {"what": what, "at_once": at_once}), _show_keys)


def _show_pins(keys: Json) -> None:
    show(",".join(f"{each['kid']}:{each['key']}" for each in keys["keys"]))


def _show_keys(keys: Json) -> None:
    rows = [
        [each["id"], str(each["keys"]), str(each["retired"]), "yes" if each["known"] else "NO: it is lost"]
        for each in keys["key_encryption_keys"]
    ]
    show_table(["key-encryption key", "keys", "replaced", "there"], rows)
    signing = [
        [each["purpose"], each["kid"], moment(each["signs_from"]), moment(each["trusted_until"])]
        for each in keys["signing_keys"]
    ]
    show_table(["signs", "key", "since", "trusted until"], signing)
    show(f"{keys['sensitive']} versions of sensitive configs, {keys['outdated']} of them to be sealed anew")
