"""The renderer follows the store, keeps errors to itself and comes back from them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import orjson

from agent.files.file_set import FileSet
from agent.files.renderer import Renderer
from agent.files.target import File, Format, Selection, format_of
from agent.files.templates import Templates
from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from agent.snapshot.usage import Usage
from agent.sync.remarks import Remarks
from shared.domain.codec import Json
from shared.runtime.clock import SystemClock
from shared.runtime.lifecycle import running
from tests.fakes.snapshots import snapshot_of


@contextmanager
def within(seconds: float = 5.0) -> Iterator[None]:
    with anyio.fail_after(seconds):
        yield


def holds(path: Path, expected: Json) -> bool:
    return path.exists() and orjson.loads(path.read_bytes()) == expected


async def content(path: Path, expected: Json) -> None:
    """Wait until the file holds `expected`."""
    with within():
        while not holds(path, expected):
            await anyio.sleep(0.005)


async def test_files_follow_every_swap(tmp_path: Path) -> None:
    store, path = SnapshotStore(Snapshot.empty("billing", "prod")), tmp_path / "config.json"
    renderer = Renderer(store, [FileSet.alone(File(path, Format.JSON))], SystemClock(), tmp_path / "state")
    async with running(renderer.run):
        assert not path.exists()
        store.swap(snapshot_of(1, {"db.pool": 20}))
        await content(path, {"db.pool": 20})
        store.swap(snapshot_of(2, {"db.pool": 30, "greeting": "hej"}))
        await content(path, {"db.pool": 30, "greeting": "hej"})
    assert path.stat().st_mode & 0o777 == 0o640


async def test_what_is_there_at_the_start_is_rendered_before_the_renderer_is_ready(tmp_path: Path) -> None:
    store, path = SnapshotStore(Snapshot.empty("billing", "prod")), tmp_path / "config.json"
    store.swap(snapshot_of(1, {"db.pool": 20}))
    async with running(
        Renderer(store, [FileSet.alone(File(path, Format.JSON))], SystemClock(), tmp_path / "state").run
    ):
        assert orjson.loads(path.read_bytes()) == {"db.pool": 20}


async def test_what_stands_in_files_counts_as_read(tmp_path: Path) -> None:
    store, usage = SnapshotStore(Snapshot.empty("billing", "prod")), Usage()
    store.swap(snapshot_of(1, {"db.pool": 20, "db.host": "x", "ui.title": "t"}))
    target = FileSet.alone(File(tmp_path / "db.json", Format.JSON, Selection(prefixes=("db.",))))
    assert await Renderer(store, [target], SystemClock(), tmp_path / "state", usage=usage).render()
    assert usage.take().keys == {"db.pool": 1, "db.host": 1}


async def test_a_prefix_chooses_keys_and_sensitive_values_close_the_file(tmp_path: Path) -> None:
    store = SnapshotStore(Snapshot.empty("billing", "prod"))
    store.swap(snapshot_of(1, {"db.pool": 20, "db.password": "x", "ui.title": "t"}, sensitive=("db.password",)))
    database, interface = tmp_path / "db.json", tmp_path / "ui.json"
    targets = [
        FileSet.alone(File(database, Format.JSON, Selection(prefixes=("db.",)))),
        FileSet.alone(File(interface, Format.JSON, Selection(prefixes=("ui.",)))),
    ]
    assert await Renderer(store, targets, SystemClock(), tmp_path / "state").render()
    assert orjson.loads(interface.read_bytes()) == {"ui.title": "t"}
    assert orjson.loads(database.read_bytes()) == {"db.password": "x", "db.pool": 20}
    assert (database.stat().st_mode & 0o777, interface.stat().st_mode & 0o777) == (0o600, 0o640)


async def test_one_file_that_fails_stops_no_other_and_is_tried_again(tmp_path: Path) -> None:
    store = SnapshotStore(Snapshot.empty("billing", "prod"))
    store.swap(snapshot_of(1, {"a.b": 1, "a_b": 2}))
    blocked, good = tmp_path / "blocked.json", tmp_path / "good.json"
    blocked.mkdir()
    targets = [
        FileSet.alone(File(blocked, Format.JSON)),
        FileSet.alone(File(tmp_path / ".env", Format.DOTENV)),
        FileSet.alone(File(good, Format.JSON)),
    ]
    renderer = Renderer(store, targets, SystemClock(), tmp_path / "state", retry_every=0.01)
    async with running(renderer.run):
        await content(good, {"a.b": 1, "a_b": 2})
        first, second, third = renderer.files
        assert "directory" in first.error
        assert "A_B" in second.error
        assert third.error == ""
        blocked.rmdir()
        await content(blocked, {"a.b": 1, "a_b": 2})
        with within():
            while first.error:
                await anyio.sleep(0.005)


async def test_a_template_that_breaks_is_told_and_the_one_before_is_used(tmp_path: Path) -> None:
    store, path = SnapshotStore(Snapshot.empty("billing", "prod")), tmp_path / "app.conf"
    (template := tmp_path / "app.j2").write_text("pool={{ value('db.pool') }}")
    remarks = Remarks(SystemClock(), lambda: store.applied.revision)
    file_set = FileSet(name="app", files=(File(path, Format.TEMPLATE, template=template),))
    renderer = Renderer(store, [file_set], SystemClock(), tmp_path / "state", remarks=remarks)
    store.swap(snapshot_of(1, {"db.pool": 20}))
    assert await renderer.render()
    template.write_text("pool={{ value('db.pool' }}")
    store.swap(snapshot_of(2, {"db.pool": 30}))
    assert await renderer.render()
    assert path.read_text() == "pool=30"
    (told,) = remarks.current
    assert (told.kind, told.about, told.refuses) == ("template", "app", False)
    assert "app.j2, line 1: unexpected" in told.detail
    template.write_text("size={{ value('db.pool') }}")
    assert await renderer.render()
    assert (path.read_text(), remarks.current) == ("size=30", ())


async def test_an_agent_that_stops_does_not_wait_for_a_template_that_does_not_end(tmp_path: Path) -> None:
    store = SnapshotStore(snapshot_of(1, {}))
    (template := tmp_path / "app.j2").write_text("{{ 10 ** (10 ** 9) }}")
    file_set = FileSet(name="app", files=(File(tmp_path / "app.conf", Format.TEMPLATE, template=template),))
    renderer = Renderer(store, [file_set], SystemClock(), tmp_path / "state")
    renderer._keepers[0]._templates = Templates(7.0)
    began = anyio.current_time()
    with anyio.move_on_after(0.5):
        await renderer.run()
    assert anyio.current_time() - began < 5


def test_the_name_of_a_file_gives_its_format() -> None:
    names = {".env": Format.DOTENV, ".env.local": Format.DOTENV, "app.env": Format.DOTENV, "a.yml": Format.YAML}
    assert {name: format_of(Path(name)) for name in names} == names
    assert format_of(Path("config.txt")) is None
