"""The page about files shows settings that are taken, and files as they are rendered."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import orjson
import pytest
import yaml

from agent.files.file_set import FileSet
from agent.files.rendering import Content, rendered
from agent.settings.file_sets import file_sets, files
from agent.snapshot.own import own_context
from shared.domain.codec import Json
from tests.fakes.snapshots import snapshot_of

PAGE = Path(__file__).parents[2] / "docs" / "files.md"
_BLOCK = re.compile(r"^```(\w+) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SOURCES = "/etc/trimtab"


class Block(NamedTuple):
    """What a fence says of the block, and the block: settings, configs, a template, or a file of the settings before it."""

    language: str
    about: str
    text: str


BLOCKS = [Block(*found) for found in _BLOCK.findall(PAGE.read_text(encoding="utf-8"))]
SETTINGS = [block.text for block in BLOCKS if block.about == "settings"]
CONFIGS: Mapping[str, Json] = orjson.loads(next(block.text for block in BLOCKS if block.about == "configs"))


def sets_of(text: str) -> tuple[FileSet, ...]:
    document = yaml.load(text, yaml.BaseLoader)  # noqa: S506 - as settings are read
    readers = {"files": files, "file_sets": file_sets}
    return tuple(each for name, value in document.items() for each in readers[name](value))


def shown() -> Iterator[tuple[str, str, str, str]]:
    """Each file that is shown: its settings, its path, what it holds, and the template that came before it."""
    settings = template = ""
    for block in BLOCKS:
        if block.about == "settings":
            settings = block.text
        elif block.language == "jinja":
            template = block.text
        elif block.about not in ("configs", "refused"):
            yield settings, block.about, block.text, template


FILES = list(shown())


@pytest.mark.parametrize("text", SETTINGS)
def test_the_settings_of_the_page_are_taken(text: str) -> None:
    assert sets_of(text)


@pytest.mark.parametrize(("settings", "path", "text", "template"), FILES, ids=[each[1] for each in FILES])
def test_the_files_of_the_page_are_what_is_rendered(
    settings: str, path: str, text: str, template: str, tmp_path: Path
) -> None:
    found: dict[str, Content] = {}
    for each in sets_of(settings.replace(_SOURCES, str(tmp_path))):
        for source in each.templates:
            source.write_text(template)
        chosen = tuple(file for file in each.files if path == str(file.path) or Path(path).parent == file.path)
        found |= rendered(replace(each, files=chosen), snapshot_of(1, CONFIGS), own_context("i", "a", "b", {}), 0)
    assert found[path].data.decode().removesuffix("\n") == text.removesuffix("\n")
