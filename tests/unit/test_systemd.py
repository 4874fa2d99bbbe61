"""The units hold against systemd itself: it knows every setting, and finds little that the programs could do."""

import os
import re
import shlex
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

from agent.settings.knobs import KNOBS
from tests.rig.command_lines import agent_command, control_plane_command

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "deploy" / "systemd"
PAGE = ROOT / "docs" / "deploy" / "systemd.md"
UNITS = {
    "trimtab-agent@checkout.service": PLACE / "trimtab-agent@.service",
    "trimtab-control-plane.service": PLACE / "trimtab-control-plane.service",
}
MAX_EXPOSURE = "12"
"""Of 100, in tenths as `systemd-analyze security` shows them; the network alone is 10."""
_BLOCK = re.compile(r"^```ini (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWN = _BLOCK.findall(PAGE.read_text(encoding="utf-8"))


def service(path: Path) -> dict[str, str]:
    unit = ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's names have capitals
    unit.read(path)
    return dict(unit["Service"])


def installed(directory: Path) -> None:
    """Our units as they lie in /etc/systemd/system, and a program that is there."""
    for name, source in UNITS.items():
        text = re.sub(r"/opt/trimtab/bin/\S+", "/bin/true", source.read_text())
        (directory / name).write_text(text)


def analyze(program: str, *words: str, directory: Path) -> str:
    """What it has to say against it."""
    done = subprocess.run(  # noqa: S603
        [program, *words],
        cwd=directory,
        env=os.environ | {"SYSTEMD_UNIT_PATH": f"{directory}:", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return done.stderr + (done.stdout if done.returncode else "")


@pytest.mark.parametrize("name", UNITS)
def test_systemd_knows_every_setting_of_a_unit(name: str, systemd_analyze: str, tmp_path: Path) -> None:
    installed(tmp_path)
    assert analyze(systemd_analyze, "verify", "--man=no", f"./{name}", directory=tmp_path) == ""
    with (tmp_path / name).open("a") as unit:
        unit.write("[Service]\nRestartSecs=1\n")
    assert "RestartSecs" in analyze(systemd_analyze, "verify", "--man=no", f"./{name}", directory=tmp_path)


@pytest.mark.parametrize("name", UNITS)
def test_systemd_finds_little_that_a_program_could_do(name: str, systemd_analyze: str, tmp_path: Path) -> None:
    installed(tmp_path)
    words = ["security", "--offline=yes", "--no-pager", f"--threshold={MAX_EXPOSURE}", f"./{name}"]
    assert analyze(systemd_analyze, *words, directory=tmp_path) == ""


@pytest.mark.parametrize(("about", "text"), SHOWN, ids=[about for about, _ in SHOWN])
def test_systemd_takes_what_the_page_shows(about: str, text: str, systemd_analyze: str, tmp_path: Path) -> None:
    installed(tmp_path)
    path = tmp_path / about
    path.parent.mkdir(exist_ok=True)
    path.write_text(re.sub(r"=/(?:opt|usr)/\S+", "=/bin/true", text))
    unit = about.partition("/")[0].removesuffix(".d")
    assert analyze(systemd_analyze, "verify", "--man=no", f"./{unit}", directory=tmp_path) == ""


@pytest.mark.parametrize("path", UNITS.values(), ids=UNITS)
def test_units_start_real_commands(path: Path) -> None:
    program, *arguments = shlex.split(service(path)["ExecStart"])
    {"trimtab": control_plane_command, "trimtab-agent": agent_command}[Path(program).name](arguments)


def test_the_agents_unit_uses_what_the_agent_tells_systemd() -> None:
    unit = service(UNITS["trimtab-agent@checkout.service"])
    assert unit["Type"] == "notify"
    assert float(unit["WatchdogSec"]) > 1
    assert unit["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert unit["Restart"] == "always"
    assert unit["LoadCredential"].startswith("token:")
    variable, _, value = unit["Environment"].partition("=")
    assert variable == KNOBS["token_file"].variable
    assert value == "%d/token"
