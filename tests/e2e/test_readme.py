"""The README's commands, run as they stand there against `trimtab dev`."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from control_plane.cli.client import Client
from tests.rig.dev import ROOT, Dev, dev, environ

_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#:]+)\)")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """In `.trimtab` of a directory whose `.venv/bin` has our programs: the README's surroundings."""
    place = tmp_path_factory.mktemp("readme")
    programs = place / ".venv" / "bin"
    programs.mkdir(parents=True)
    trimtab = programs / "trimtab"
    trimtab.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m control_plane "$@"\n')
    trimtab.chmod(0o755)
    with dev(place / ".trimtab") as started:
        yield started


@pytest.mark.usefixtures("curl")
async def test_every_command_of_the_readme_does_what_it_says(running: Dev) -> None:
    first, load, *blocks = _BLOCK.findall((ROOT / "README.md").read_text())
    assert set(re.findall(r"^make (\w+)", first, re.MULTILINE)) == {"run", "test"}
    read, change, arrived, client, rollout = blocks
    agent = Client(running.credentials["TRIMTAB_AGENT_URL"])

    assert _run(running, load, read).startswith("4000")
    assert '"revision"' in _run(running, load, change)
    with anyio.fail_after(5):
        while agent.get("/v1/values/payments.timeout_ms") != 6000:
            await anyio.sleep(0.01)
        while "6000" not in _run(running, load, arrived).split("payments.api_key")[-1]:
            await anyio.sleep(0.01)
    assert agent.get("/v1/values/payments.retries") == 4
    assert "features.gift_wrapping" not in agent.get("/v1/configs")["configs"]

    said = _run(running, load, client).splitlines()
    assert said[0].startswith("revision ")
    assert said[1] == "2500"
    assert "The bank is well again" in said[2]
    assert any("checkout/prod" in line for line in said)

    said = _run(running, load, rollout).splitlines()
    assert said[0].endswith("progressing")
    assert any('"rollout"' in line and '"arm"' in line for line in said)
    assert any('"bucket"' in line for line in said)


def test_the_make_targets_and_links_of_the_documents_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = page.read_text()
        for target in re.findall(r"`make (\w+)", text):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{page.name}: make {target}"
        for link in _LINK.findall(text):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def _run(running: Dev, *blocks: str) -> str:
    """What the blocks print, in one shell, where the README's reader stands."""
    ended = subprocess.run(  # noqa: S603
        ["/bin/sh", "-e", "-c", "\n".join(blocks)],
        cwd=running.data_dir.parent,
        env=environ() | {"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_the_folders_and_files_that_the_readme_names_exist() -> None:
    text = (ROOT / "README.md").read_text()
    for path in re.findall(r"`((?:control_plane|agent|shared|deploy)/[a-z_/]*(?:\.py)?)`", text):
        assert Path(ROOT, path).exists(), path
