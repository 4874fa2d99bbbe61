"""A process that publishes one revision after the other until it is killed: `python -m tests.rig.publishing DIRECTORY STATE FIRST`.

With `places` behind it the files are at places of their own instead of in a directory of the set's.
"""

import sys
from pathlib import Path

import anyio

from agent.files.file_set import FileSet
from agent.files.renderer import Renderer
from agent.files.target import File, Format
from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from shared.runtime.clock import SystemClock
from tests.fakes.snapshots import snapshot_of

FILES = ("a.json", "sub/b.json")


def pair(place: Path, *, directory: bool = True) -> FileSet:
    """A set of two files that tell the same revision."""
    files = tuple(File(Path(each) if directory else place / each, Format.JSON) for each in FILES)
    return FileSet(name="pair", directory=place if directory else None, files=files, keep=2)


async def publish(file_set: FileSet, state: Path, first: int) -> None:
    """Publish revisions, a line for each."""
    store = SnapshotStore(Snapshot.empty("billing", "prod"))
    renderer = Renderer(store, [file_set], SystemClock(), state)
    for revision in range(first, 1_000_000):
        store.swap(snapshot_of(revision, {"revision": revision, "filler": "x" * 20_000}))
        await renderer.render()
        sys.stdout.write(f"{revision}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    anyio.run(publish, pair(Path(sys.argv[1]), directory="places" not in sys.argv), Path(sys.argv[2]), int(sys.argv[3]))
