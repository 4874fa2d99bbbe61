"""The guides' commands, run as they stand there, page by page, against one `trimtab dev`.

A block that begins with ```` ```sh ```` has to work; one that begins with ```` ```sh refused ```` shows what is refused.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rig.dev import ROOT, Dev, dev, environ

_BLOCK = re.compile(r"^```sh( refused)?\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LOAD = "set -a; . .trimtab/credentials.env\n"
_ELSEWHERE = {"benchmarks.md"}
"""Pages whose commands need other surroundings."""
GUIDES = sorted(
    str(page.relative_to(ROOT / "docs"))
    for page in (ROOT / "docs").rglob("*.md")
    if page.name not in _ELSEWHERE and _BLOCK.search(page.read_text(encoding="utf-8"))
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """In `.trimtab` of a directory whose `.venv/bin` has our programs."""
    place = tmp_path_factory.mktemp("guides")
    programs = place / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, module in (("trimtab", "control_plane"), ("trimtab-agent", "agent")):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
        program.chmod(0o755)
    with dev(place / ".trimtab") as started:
        yield started


@pytest.mark.timeout(120)
@pytest.mark.usefixtures("curl")
@pytest.mark.parametrize("page", GUIDES)
def test_the_commands_of_a_guide_do_what_it_says(running: Dev, page: str) -> None:
    place = running.data_dir.parent
    path = f"{place / '.venv' / 'bin'}:{os.environ['PATH']}"
    blocks = _BLOCK.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))
    kept = Path(place, f"{Path(page).name}.env")
    kept.write_text("")
    for refused, block in blocks:
        script = f"{_LOAD}. ./{kept.name}\n{block}\nexport -p >{kept.name}\n"
        ended = subprocess.run(  # noqa: S603
            ["/bin/sh", "-e", "-c", script],
            cwd=place,
            env=environ() | {"PATH": path},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (ended.returncode != 0) == bool(refused), f"{page}\n{block}{ended.stdout}{ended.stderr}"
