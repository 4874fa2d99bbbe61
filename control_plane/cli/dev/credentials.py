"""`credentials.env`: the addresses and tokens of one data directory, for shells to source and for us to find again."""

import os
from collections.abc import Mapping
from pathlib import Path


def read_credentials(path: Path) -> dict[str, str]:
    """What a previous run wrote; empty where there was none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    pairs = (line.partition("=") for line in lines if line.startswith("TRIMTAB_"))
    return {name: value for name, equals, value in pairs if equals}


def write_credentials(path: Path, values: Mapping[str, str]) -> None:
    """Replace the file at once; nobody but us can read it. No value needs quoting: they are URLs, names and tokens."""
    lines = [
        "# Made by `trimtab dev`. Load it with:  set -a; . this-file; set +a",
        *(f"{name}={value}" for name, value in values.items()),
    ]
    _replace(path, "".join(f"{line}\n" for line in lines))


def write_header(path: Path, token: str) -> None:
    """The operator's Authorization header as a file for `curl -H @file`, so that no token stands on a command line."""
    _replace(path, f"Authorization: Bearer {token}\n")


def _replace(path: Path, text: str) -> None:
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)
