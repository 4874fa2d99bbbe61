"""What documents and deployment files name, the programs have: settings, commands, flags, paths of the local API, headings."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import typer.main
import yaml

from agent.__main__ import _parsers
from agent.files.occasion import Occasion
from agent.local_api.description import DOCUMENT
from agent.settings.knobs import KNOBS
from agent.settings.load import _NOT_SETTINGS, load
from control_plane.cli.main import app
from control_plane.settings.load import rows

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
_DEPLOYED = (".yaml", ".yml", ".service", ".Dockerfile", ".py")
FILES = sorted(
    [ROOT / "docker-compose.yml", *(path for path in (ROOT / "deploy").rglob("*") if path.suffix in _DEPLOYED)]
)
PAGE_NAMES = [str(path.relative_to(ROOT)) for path in PAGES]

_FENCE = re.compile(r"^( *)```([^\n]*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"(`{1,2})(?!`)(.+?)(?<!`)\1(?!`)")
_VARIABLE = re.compile(r"TRIMTAB_[A-Z0-9_]+")
_DEPLOYMENT = re.compile(r"(?<![\w./(-])deploy/[\w./@-]+")
_LINK = re.compile(r"\]\(([^)\s]*)#([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?)$", re.MULTILINE)
_FLAG = re.compile(r"--[a-z][a-z-]*")
_AGENT = re.compile(r"(?<![\w-])trimtab-agent +([^|;&>()#]*)")
_OPERATOR = re.compile(r"(?:^|[$(`;|] *|/)trimtab +([a-z][a-z-]*)(?: +([a-z][a-z-]*))?", re.MULTILINE)
_PATH = re.compile(
    r"(?:\$\{?TRIMTAB_AGENT_URL\}?|https?://(?:localhost|127\.0\.0\.1)(?::2772)?|(?<![\w./:$}-]))"
    r"(/(?:v1|ofrep|applications)/[^\s`\"'|)\[?…,;]*)"
)

_CLIENTS = {"TRIMTAB_URL", "TRIMTAB_TOKEN", "TRIMTAB_TOKEN_FILE", "TRIMTAB_DATA_DIR"}
_TESTS = {"TRIMTAB_TEST_", "TRIMTAB_FUZZ_"}
"""Beginnings of variables that only tests read."""
_FOREIGN_FLAGS = {"--init", "--only", "--unix-socket"}
"""Of Docker, our benchmarks and curl."""
_PLACEHOLDERS = {"--flag"}


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def fences(text: str) -> Iterator[tuple[str, str]]:
    """What is said of each block, and the block."""
    for indent, about, block in _FENCE.findall(text):
        yield about, re.sub(rf"^{indent}", "", block, flags=re.MULTILINE)


def inline(text: str) -> list[str]:
    return [found for _, found in _INLINE.findall(_FENCE.sub("", text))]


def agent_commands(text: str) -> Iterator[str]:
    """What stands behind the program's name, in blocks and in a line's code."""
    for part in [*(block for _, block in fences(text)), *inline(text)]:
        for line in part.replace("\\\n", " ").replace('", "', " ").replace('"', "").splitlines():
            yield from _AGENT.findall(line)


def agent_flags() -> dict[str, set[str]]:
    """By command; the empty one is the program itself."""
    parser, _ = _parsers()
    groups = {"": parser, **next(each.choices for each in parser._actions if isinstance(each.choices, dict))}
    return {name: {flag for each in one._actions for flag in each.option_strings} for name, one in groups.items()}


def control_plane_flags() -> set[str]:
    def of(command: Any) -> Iterator[str]:
        for each in command.params:
            yield from each.opts
            yield from each.secondary_opts
        for below in getattr(command, "commands", {}).values():
            yield from of(below)

    return set(of(typer.main.get_command(app)))


def slug(heading: str) -> str:
    """The anchor that a heading gets where our pages are read."""
    plain = re.sub(r"\[(.*?)\]\(.*?\)|`", lambda match: match[1] or "", heading)
    return re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")


VARIABLES = (
    {knob.variable for knob in KNOBS.values()}
    | _NOT_SETTINGS
    | {name for name, _, _ in rows()}
    | {f"{name}_FILE" for name, _, meaning in rows() if f"{name}_FILE" in meaning}
    | _CLIENTS
    | {*Occasion("", 0).environ, "TRIMTAB_STAGED"}
)
AGENT_FLAGS = agent_flags()
COMMANDS: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # a group: there are several
ALL_FLAGS = set().union(*AGENT_FLAGS.values()) | control_plane_flags() | _FOREIGN_FLAGS | _PLACEHOLDERS
ROUTES = [path.split("/") for path in orjson.loads(DOCUMENT.read_bytes())["paths"]]


def leads(shown: str) -> bool:
    """Whether a path, or the beginning of one, is of the local API."""
    parts = shown.split("/")
    return any(
        len(parts) <= len(route)
        and all(known == part or known.startswith("{") for part, known in zip(parts, route, strict=False))
        for route in ROUTES
    )


@pytest.mark.parametrize("path", [*PAGES, *FILES], ids=lambda path: str(path.relative_to(ROOT)))
def test_settings_that_are_named_are_settings(path: Path) -> None:
    for name in set(_VARIABLE.findall(text_of(path))):
        beginning = name.endswith("_") and any(each.startswith(name) for each in VARIABLES)
        assert name in VARIABLES or beginning or name.startswith(tuple(_TESTS)), name


@pytest.mark.parametrize("path", PAGES, ids=PAGE_NAMES)
def test_commands_of_the_agent_are_its_commands(path: Path) -> None:
    for shown in agent_commands(text_of(path)):
        words = re.findall(r"[^\s\[\]]+", shown.partition(" --]")[0].partition(" -- ")[0])
        command = words[0] if words and re.fullmatch(r"[a-z-]+", words[0]) and not words[0].startswith("-") else ""
        assert command in AGENT_FLAGS, shown
        known = AGENT_FLAGS[command] | _PLACEHOLDERS
        assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known, shown


@pytest.mark.parametrize("path", PAGES, ids=PAGE_NAMES)
def test_commands_of_the_operator_are_commands(path: Path) -> None:
    text = text_of(path)
    for part in [*(block for _, block in fences(text)), *inline(text)]:
        for name, below in _OPERATOR.findall(part):
            command = COMMANDS.get(name)
            assert command is not None, f"trimtab {name}"
            assert not hasattr(command, "commands") or not below or below in command.commands, f"trimtab {name} {below}"


@pytest.mark.parametrize("path", PAGES, ids=PAGE_NAMES)
def test_flags_in_a_sentence_are_flags(path: Path) -> None:
    named = {flag for each in inline(text_of(path)) if each.startswith("--") for flag in _FLAG.findall(each)}
    assert named <= ALL_FLAGS


@pytest.mark.parametrize("path", PAGES, ids=PAGE_NAMES)
def test_paths_of_the_local_api_are_its_paths(path: Path) -> None:
    for found in _PATH.findall(text_of(path)):
        shown = found.rstrip(".:/") or found
        assert leads(shown), shown


@pytest.mark.parametrize("path", PAGES, ids=PAGE_NAMES)
def test_deployment_files_that_are_named_exist(path: Path) -> None:
    for name in set(_DEPLOYMENT.findall(text_of(path))):
        generated = name.startswith("deploy/compose/secrets")
        assert generated or (ROOT / name.rstrip(".")).exists(), name


@pytest.mark.parametrize("path", PAGES, ids=PAGE_NAMES)
def test_links_to_headings_find_them(path: Path) -> None:
    for page, anchor in _LINK.findall(text_of(path)):
        if "://" not in page:
            target = (path.parent / page) if page else path
            headings = {slug(each) for each in _HEADING.findall(_FENCE.sub("", text_of(target)))}
            assert anchor in headings, f"{page}#{anchor}"


def blocks(about: str) -> list[tuple[str, str]]:
    """Settings that guides show; the page about files has a test of its own."""
    return [
        (name, block)
        for path, name in zip(PAGES, PAGE_NAMES, strict=True)
        if path.name != "files.md"
        for said, block in fences(text_of(path))
        if said == about
    ]


GIVEN = {
    "TRIMTAB_APP": "a",
    "TRIMTAB_ENVIRONMENT": "b",
    "TRIMTAB_CONTROL_PLANE_URL": "http://c.example",
    "TRIMTAB_AGENT_TOKEN": "secret",
}


@pytest.mark.parametrize(("page", "text"), blocks("yaml settings"))
def test_settings_files_that_are_shown_are_taken(page: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "agent.yaml").write_text(text)
    document = yaml.safe_load(text)
    own = {knob.variable for knob in KNOBS.values() if knob.name in document}
    given = {name: value for name, value in GIVEN.items() if name not in own and f"{name}_FILE" not in own}
    if "token_file" in document:
        (tmp_path / "token").write_text("secret")
        given["TRIMTAB_AGENT_TOKEN_FILE"] = str(tmp_path / "token")
    assert load(given, tmp_path / "agent.yaml"), page


@pytest.mark.parametrize(("page", "text"), blocks("sh settings"))
def test_environments_that_are_shown_are_taken(page: str, text: str) -> None:
    shown = dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))
    assert set(shown) <= VARIABLES, page
    assert load(GIVEN | shown)
