"""A renderer of file sets over a store that a test swaps, and the programs that it calls."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import orjson

from agent.files.file_set import FileSet
from agent.files.renderer import Renderer
from agent.files.state import SetState
from agent.files.target import File, Format
from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from agent.sync.remarks import Remarks
from agent.sync.results import Rendering, Results
from shared.domain.codec import Json
from shared.runtime.clock import SystemClock
from tests.fakes.snapshots import snapshot_of


@dataclass
class Site:
    """A renderer of one set, over a store that the test swaps. `look_every` is how often it looks without being told."""

    directory: Path
    file_set: FileSet
    look_every: float = 0.02
    retry_every: float = 30.0
    store: SnapshotStore = field(default_factory=lambda: SnapshotStore(Snapshot.empty("billing", "prod")))
    remarks: Remarks = field(init=False)
    results: Results = field(init=False)
    renderer: Renderer = field(init=False)
    revision: int = 0

    def __post_init__(self) -> None:
        self.remarks = Remarks(SystemClock(), lambda: self.store.applied.revision)
        self.begin()

    def begin(self) -> None:
        """As a new agent would."""
        state, self.results = self.directory / "state", Results()
        self.renderer = Renderer(
            self.store,
            [self.file_set],
            SystemClock(),
            state,
            remarks=self.remarks,
            results=self.results,
            retry_every=self.retry_every,
            look_every=self.look_every,
        )

    def swap(self, **values: Json) -> None:
        self.revision += 1
        self.store.swap(snapshot_of(self.revision, {name.replace("_", "."): value for name, value in values.items()}))

    async def bring(self, **values: Json) -> bool:
        self.swap(**values)
        return await self.renderer.render()

    async def until_watched(self) -> None:
        """Wait until the kernel tells of all that is touched, and the look at what was published before that is over."""
        expected = {str(each) for each in self.renderer.directories() if each.is_dir()}
        await until(lambda: self.renderer.watches == expected)
        await until(lambda: self.results.renderings[Rendering.UNCHANGED] > 0)

    @property
    def state(self) -> SetState:
        return self.renderer.sets[0]

    def shown(self, name: str = "config.json") -> Any:
        return orjson.loads((self.directory / "out" / name).read_bytes())


def script(path: Path, text: str) -> tuple[str, ...]:
    """A program of some lines of shell."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return (str(path),)


async def until(met: Callable[[], bool]) -> None:
    with anyio.fail_after(20):
        while not met():
            await anyio.sleep(0.01)


def site_of(path: Path, *, directory: bool = True, look_every: float = 0.02, **members: Any) -> Site:
    """A site whose set is one file in a directory of the set's own, or at a place of its own."""
    out = path / "out"
    file = File(Path("config.json") if directory else out / "config.json", Format.JSON)
    return Site(path, FileSet(name="web", files=(file,), directory=out if directory else None, **members), look_every)
