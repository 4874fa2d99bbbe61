"""What docs/openfeature.md shows of Python and JavaScript, run as it stands there, against the flag that it makes."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.domain.codec import decode
from tests.integration.test_local_api import agent
from tests.rig import node
from tests.rig.browser import browsing, origin
from tests.rig.dev import ROOT, Dev, dev, environ
from tests.rig.entries import entry, seeing

PAGE = (ROOT / "docs" / "openfeature.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:2772"


def blocks(language: str) -> list[str]:
    """The blocks of one kind."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """`trimtab dev` with the flag."""
    with dev(tmp_path_factory.mktemp("openfeature") / ".trimtab") as started:
        loaded = "set -a; . .trimtab/credentials.env\n" + blocks("sh")[0]
        done = subprocess.run(  # noqa: S603
            ["/bin/sh", "-e", "-c", loaded], cwd=started.data_dir.parent, env=environ(), capture_output=True, timeout=60,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        assert b'"reason":"TARGETING_MATCH"' in done.stdout
        yield started


def run(command: list[str | Path], script: Path, text: str, address: str) -> str:
    """What a script prints that is as long as it is promised to be."""
    assert len(text.strip().splitlines()) <= 10
    assert ADDRESS in text
    script.write_text(text.replace(ADDRESS, address), encoding="utf-8")
    done = subprocess.run([*command, script], env=environ(), capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.timeout(120)
@pytest.mark.usefixtures("curl")
def test_python_does_what_the_page_shows(running: Dev, tmp_path: Path) -> None:
    [shown] = blocks("python")
    address = running.credentials["TRIMTAB_AGENT_URL"]
    assert run([sys.executable], tmp_path / "shown.py", shown, address) == "True"


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("curl", "npm_packages")
def test_javascript_does_what_the_page_shows(running: Dev, tmp_path: Path) -> None:
    [shown] = blocks("js")
    (tmp_path / "node_modules").symlink_to(node.MODULES)
    address = running.credentials["TRIMTAB_AGENT_URL"]
    assert run([node.NODE], tmp_path / "shown.mjs", shown, address) == "true"


@pytest.mark.timeout(400)
@pytest.mark.usefixtures("npm_packages")
async def test_a_page_in_a_browser_does_what_the_page_shows(chromium: Path, tmp_path: Path) -> None:
    [shown] = blocks("js web")
    [flag] = map(decode, re.findall(r'"flag": (\{.*?\}\]\})\}\'', blocks("sh")[0], re.DOTALL))
    tells = 'await fetch("/told", { method: "POST", body: JSON.stringify({ done: document.body.textContent }) });\n'
    watches = f"client.addHandler(ProviderEvents.ConfigurationChanged, async () => {{ {tells} }});\n"
    script = tmp_path / "shown.mjs"
    async with origin(script) as opened, agent(cors_origins=[opened.origin]) as it:
        seeing(it, entry("new-basket", flag, "flag"))
        script.write_text(shown.replace(ADDRESS, it.url) + watches + tells, encoding="utf-8")
        async with browsing(chromium, opened, tmp_path):
            assert await opened.told() == "new"
            seeing(it, entry("new-basket", flag | {"on": False}, "flag"))
            assert await opened.told() == "old"


def test_each_language_has_ten_lines_at_most() -> None:
    for language in ("python", "js", "js web", "go", "java", "csharp"):
        [shown] = blocks(language)
        assert len([line for line in shown.splitlines() if line.strip()]) <= 10, language
