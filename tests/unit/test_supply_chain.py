"""What we ship is made of: locked with hashes, installed as locked, and told in a bill of materials."""

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.markers import Marker

from shared.domain.codec import decode

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
SHIPPED = ("agent", "control-plane")
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[\w,-]+\])?==(\S+?)(?: ; (.+?))?(?: \\)?$")
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}$")


def locked(path: Path) -> dict[str, tuple[str, str, int]]:
    """Version, marker and number of hashes of each requirement in a lock file; nothing else may stand in it."""
    found: dict[str, tuple[str, str, int]] = {}
    name = ""
    for line in path.read_text().splitlines():
        if pinned := _PINNED.match(line):
            name = pinned[1].lower()
            found[name] = pinned[2], pinned[3] or "", 0
        else:
            assert _HASH.search(line.removesuffix(" \\")), f"{path.name}: {line}"
            release, marker, hashes = found[name]
            found[name] = release, marker, hashes + 1
    return found


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_whatever_is_locked_has_one_version_and_hashes(path: Path) -> None:
    requirements = locked(path)
    assert len(requirements) >= 3
    assert [name for name, (_, _, hashes) in requirements.items() if hashes == 0] == []


def test_the_tests_run_on_what_is_locked() -> None:
    wrong = {
        name: (release, version(name))
        for name, (release, marker, _) in locked(ROOT / "requirements" / "dev.txt").items()
        if (not marker or Marker(marker).evaluate()) and version(name) != release
    }
    assert wrong == {}


@pytest.mark.parametrize("shipped", SHIPPED)
def test_what_is_shipped_is_what_was_tested(shipped: str) -> None:
    tested = locked(ROOT / "requirements" / "dev.txt")
    other = {
        name: release
        for name, (release, _, _) in locked(ROOT / "requirements" / f"{shipped}.txt").items()
        if tested[name][0] != release
    }
    assert other == {}


@pytest.mark.parametrize("shipped", SHIPPED)
def test_the_bill_of_materials_names_all_of_it_with_hashes(shipped: str, tmp_path: Path) -> None:
    target = next(line for line in (ROOT / "Makefile").read_text().splitlines() if "cyclonedx-py requirements" in line)
    assert "--output-reproducible" in target
    lock, written = ROOT / "requirements" / f"{shipped}.txt", tmp_path / "bill.json"
    program = Path(sys.executable).parent / "cyclonedx-py"
    command = [program, "requirements", "--output-reproducible", "--of", "JSON", "-o", written, lock]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONWARNINGS": "ignore"}, capture_output=True)  # noqa: S603 - a program of ours
    bill = decode(written.read_bytes())
    told = {
        each["name"].lower(): (each["version"], sum(len(one["hashes"]) for one in each["externalReferences"]))
        for each in bill["components"]
    }
    assert (bill["bomFormat"], told) == (
        "CycloneDX",
        {name: (release, hashes) for name, (release, _, hashes) in locked(lock).items()},
    )
