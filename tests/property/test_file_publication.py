"""Whatever is published after whatever: exactly that stands there, what others put there stays, and nothing is left over."""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.files.file_set import FileSet
from agent.files.generations import CURRENT
from agent.files.publication import confirm, publication_of
from agent.files.rendering import Content
from agent.files.target import File, Format, Owner

NAMES = ("a", "b.json", "sub/c", "sub/deep/d", "other/e")
CONTENTS = st.dictionaries(
    st.sampled_from(NAMES), st.tuples(st.binary(max_size=20), st.sampled_from([0o600, 0o644])), min_size=1
)
FOREIGN = st.sets(st.sampled_from(["x", "..y", "sub2/z"]))


def content_of(data: bytes, mode: int) -> Content:
    return Content(data, mode, Owner(), (), sensitive=False)


def standing(place: Path) -> Mapping[str, tuple[bytes, int]]:
    """What a reader finds below a directory, by the names that are not the publication's own."""
    found: dict[str, tuple[bytes, int]] = {}
    for top in place.iterdir():
        if top.name.startswith("..trimtab") or top.name in (CURRENT, "..good"):
            continue
        for each in [top] if top.is_file() else (top.resolve()).rglob("*"):
            if each.is_file():
                name = str(Path(top.name, *each.relative_to(top.resolve()).parts)) if each != top else top.name
                found[name] = each.read_bytes(), each.stat().st_mode & 0o777
    return found


@given(st.booleans(), st.lists(CONTENTS, min_size=1, max_size=5), FOREIGN)
@settings(max_examples=40)
def test_exactly_what_was_published_last_stands_there(
    directory: bool,  # noqa: FBT001 - drawn
    steps: list[dict[str, tuple[bytes, int]]],
    foreign: set[str],
) -> None:
    with TemporaryDirectory() as made:
        place, others = Path(made, "out"), dict.fromkeys(foreign, (b"theirs", 388))
        for name in foreign:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(b"theirs")
            (place / name).chmod(0o604)
        file_set = FileSet(name="s", files=(File(place, Format.JSON),), directory=place if directory else None, keep=1)
        publication = publication_of(file_set, Path(made, "state"))
        for revision, step in enumerate(steps, 1):
            contents = {name if directory else str(place / name): content_of(*each) for name, each in step.items()}
            staged = publication.generations.stage(contents, revision)
            publication.publish(staged)
            confirm(publication, b"")
            assert publication.differing(contents) == []
            assert standing(place) == step | others
            kept = [each for each in publication.generations.root.iterdir() if each.name.startswith("..trimtab-")]
            assert len(kept) <= 2
