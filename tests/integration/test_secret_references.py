"""Values that refer to secrets kept elsewhere: resolved at the agent, shown whole or not at all, known to nobody else."""

import stat
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import asyncpg
import pytest

from agent.files.file_set import FileSet
from agent.files.rendering import rendered
from agent.files.target import File, Format
from agent.files.unrenderable import UnrenderableError
from agent.secrets import keeping
from agent.secrets.provider import Fetched, Provider
from agent.secrets.secrets import KIND, Secrets
from agent.snapshot.last_known_good import FileKeeper
from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from agent.sync.remarks import Remarks
from shared.domain.codec import Json, canonical, decode
from shared.domain.context import ANYBODY
from shared.domain.entry import Entry, Kind
from shared.domain.resolution import Reason
from shared.runtime.clock import SystemClock
from shared.runtime.keepers.asking import SecretError
from shared.runtime.lifecycle import running
from tests.fakes.secret_places import VaultDouble, serving
from tests.fakes.snapshots import following, snapshot_of
from tests.rig.installation import ApiError, Servers, installation
from tests.rig.process import Process
from tests.servers.server import free_port

DEADLINE = 10.0
CANARY = "canary-kept-elsewhere-5d1c"


def vault(path: str = "db", **members: Any) -> Json:
    return {"$secret": {"provider": "vault", "path": path, **members}}


@dataclass
class Place:
    """A provider whose answers the test gives."""

    documents: dict[str, Json] = field(default_factory=dict)
    error: SecretError | None = None
    lease: float | None = None
    renews: bool = True
    fetched: int = 0
    renewed: int = 0
    opened: anyio.Event = field(default_factory=anyio.Event)
    often: bool = False

    async def fetch(self, source: Mapping[str, str]) -> Fetched:
        await self.opened.wait()
        self.fetched += 1
        if self.error is not None:
            raise self.error
        if source["path"] not in self.documents:
            why = "there is no such secret"
            raise SecretError(why)
        return Fetched(self.documents[source["path"]], self.lease, "a-lease" if self.lease else "")

    async def renew(self, fetched: Fetched) -> Fetched:
        self.renewed += 1
        if not self.renews or self.error is not None:
            why = "lease not found"
            raise SecretError(why)
        return fetched


@dataclass
class Bench:
    """A store that is completed, and what the test looks at."""

    store: SnapshotStore
    secrets: Secrets
    remarks: Remarks
    place: Place
    seen: list[tuple[int, Json, Json]] = field(default_factory=list)

    def shown(self, key: str) -> Json:
        found = self.store.current.program.evaluate(key, ANYBODY, 0)
        return None if found is None or not found.value else decode(found.value)

    def reason(self, key: str) -> Reason | None:
        found = self.store.current.program.evaluate(key, ANYBODY, 0)
        return None if found is None else found.reason

    def note(self, _old: Snapshot, new: Snapshot) -> None:
        self.seen.append((new.revision, self.shown("plain"), self.shown("secret")))

    @property
    def told(self) -> dict[str, bool]:
        return {each.about: each.refuses for each in self.remarks.current if each.kind == KIND}

    async def until(self, key: str, value: Json) -> None:
        with anyio.fail_after(DEADLINE):
            while self.shown(key) != value:
                await anyio.sleep(0.005)

    async def until_told(self, told: dict[str, bool]) -> None:
        with anyio.fail_after(DEADLINE):
            while self.told != told:
                await anyio.sleep(0.005)


@asynccontextmanager
async def bench(
    *, allowed: bool = True, hold: float = 5.0, max_stale: float = 3_600.0, refresh: float = 300.0, **place: Any
) -> AsyncIterator[Bench]:
    store = SnapshotStore(Snapshot.empty("billing", "prod"))
    remarks, made = Remarks(SystemClock(), lambda: store.applied.revision), Place(**place)

    def places(name: str) -> Provider | None:
        return made if allowed and name == "vault" else None

    async def close() -> None:
        made.opened.set()

    secrets = Secrets(store, remarks, places, close, refresh=refresh, max_stale=max_stale, hold=hold)
    store.completed_by(secrets)
    it = Bench(store, secrets, remarks, made)
    with store.subscribe(it.note):
        async with running(secrets.run):
            yield it


async def test_by_default_nothing_is_looked_up_and_only_that_config_is_an_error() -> None:
    async with bench(allowed=False) as it:
        it.store.swap(snapshot_of(1, {"plain": 1, "secret": vault()}))
        await it.until_told({"secret": True})
        assert (it.shown("plain"), it.shown("secret"), it.reason("secret")) == (1, None, Reason.ERROR)
        assert not it.store.settling
        assert "TRIMTAB_AGENT_SECRET_PROVIDERS" in it.remarks.current[0].detail


async def test_a_change_with_a_new_reference_is_seen_as_a_whole_or_not_yet() -> None:
    async with bench(documents={"db": {"password": CANARY}}) as it:
        it.store.swap(snapshot_of(1, {"plain": "old", "secret": "old"}))
        it.store.swap(snapshot_of(2, {"plain": "new", "secret": vault(field="password")}))
        it.store.swap(snapshot_of(3, {"plain": "newer", "secret": vault(field="password")}))
        assert it.seen[-1] == (1, "old", "old")
        it.place.opened.set()
        await it.until("secret", CANARY)
    assert {each for each in it.seen if each[0]} == {(1, "old", "old"), (3, "newer", CANARY)}
    assert it.store.applied.effective["secret"].entry.value == canonical(vault(field="password"))
    assert it.store.current.effective["secret"].entry.sensitive
    assert it.place.fetched == 1


async def test_the_first_snapshot_is_not_ready_before_its_secrets_are_there() -> None:
    async with bench(documents={"db": CANARY}) as it:
        it.store.swap(snapshot_of(1, {"plain": 1, "secret": vault()}))
        assert (it.store.settling, it.shown("plain"), it.told) == (True, 1, {})
        it.place.opened.set()
        await it.until("secret", CANARY)
        assert (it.store.settling, it.told) == (False, {})


async def test_a_place_that_does_not_answer_holds_a_change_back_for_a_moment_only() -> None:
    async with bench(hold=0.1, documents={"db": CANARY}) as it:
        it.store.swap(snapshot_of(1, {"plain": "old"}))
        it.store.swap(snapshot_of(2, {"plain": "new", "secret": vault()}))
        assert it.shown("plain") == "old"
        await it.until("plain", "new")
        assert (it.shown("secret"), it.told) == (None, {"secret": True})
        it.place.opened.set()
        await it.until("secret", CANARY)
        await it.until_told({})


async def test_an_error_is_told_and_over_when_the_secret_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping.Backoff, "next", lambda *_: 0.0)
    async with bench(hold=0.05) as it:
        it.place.opened.set()
        it.store.swap(snapshot_of(1, {"plain": 1, "secret": vault()}))
        await it.until_told({"secret": True, "vault db": False})
        assert it.shown("plain") == 1
        it.place.documents["db"] = CANARY
        await it.until("secret", CANARY)
        await it.until_told({})
        it.store.swap(snapshot_of(2, {"plain": 1}))
        await it.until_told({})


async def test_a_value_from_before_is_used_while_its_place_is_gone_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeping.Backoff, "next", lambda *_: 0.0)
    async with bench(documents={"db": CANARY}, refresh=0.05, max_stale=1.5) as it:
        it.place.opened.set()
        it.store.swap(snapshot_of(1, {"plain": 1, "secret": vault()}))
        await it.until("secret", CANARY)
        it.place.error = SecretError("Vault answers 503: it cannot now")
        await it.until_told({"vault db": False})
        assert it.shown("secret") == CANARY
        await it.until_told({"vault db": False, "secret": True})
        assert it.shown("secret") is None
        it.place.error, it.place.documents["db"] = None, "another"
        await it.until("secret", "another")
        await it.until_told({})


async def test_a_lease_is_prolonged_and_what_cannot_be_is_replaced_before_it_ends() -> None:
    async with bench(documents={"db": {"user": "u1", "password": "p1"}}, lease=2.0) as it:
        it.place.opened.set()
        whole = {"user": vault(field="user"), "nested": {"password": [vault(field="password")]}}
        it.store.swap(snapshot_of(1, {"plain": 1, "secret": whole}))
        await it.until("secret", {"user": "u1", "nested": {"password": ["p1"]}})
        with anyio.fail_after(DEADLINE):
            while it.place.renewed < 1:
                await anyio.sleep(0.01)
        assert it.place.fetched == 1
        it.place.renews, it.place.documents["db"] = False, {"user": "u2", "password": "p2"}
        await it.until("secret", {"user": "u2", "nested": {"password": ["p2"]}})
        found = {str(each[2]) for each in it.seen if each[2] is not None}
        assert len(found) == 2


async def test_a_field_that_is_not_there_and_a_value_that_cannot_be_one_are_errors_of_that_config() -> None:
    documents = {"db": '{"port": 5432}', "text": "no object", "big": "[1e999]", "deep": "[" * 80 + "]" * 80}
    values = {
        "port": vault(field="port"),
        "other": vault(field="other"),
        "text": vault("text", field="a"),
        "big": vault("big", field="a"),
        "deep": vault("deep", field="a"),
        "newer": {"$secret": {"provider": "of-a-newer-version"}},
        "two": {"$secret": {"provider": "vault", "path": "db"}, "other": 1},
    }
    async with bench(documents=documents) as it:
        it.place.opened.set()
        it.store.swap(snapshot_of(1, values))
        await it.until("port", 5432)
        await it.until_told({key: True for key in values if key != "port"})
        assert not any(CANARY in each.detail for each in it.remarks.current)


async def test_variants_candidates_and_what_shows_through_are_resolved_as_well() -> None:
    flag = canonical({"variants": {"on": vault(), "off": "none"}, "default": "on"})
    rollout = canonical(
        {
            "id": "r",
            "candidate": vault("new"),
            "kind": "value",
            "weights": [[0, 100_000]],
            "salt": "s",
            "unit": "instance",
        }
    )
    own = {
        "flag": Entry("flag", Kind.FLAG, flag, 1, 1),
        "rolled": Entry("rolled", Kind.VALUE, canonical(vault()), 1, 1, rollout=rollout),
    }
    async with bench(documents={"db": CANARY, "new": "candidate"}) as it:
        it.place.opened.set()
        it.store.swap(following(Snapshot.empty("billing", "prod"), 1, own))
        await it.until("flag", CANARY)
        entry = it.store.current.effective["rolled"].entry
        assert (decode(entry.value), decode(entry.rollout)["candidate"]) == (CANARY, "candidate")
        assert entry.sensitive


async def test_a_file_is_never_written_without_its_secret_and_then_for_its_owner_only(tmp_path: Path) -> None:
    files = FileSet(name="a", files=(File(tmp_path / "out.json", Format.JSON),))
    async with bench(documents={"db": CANARY}, hold=0.05) as it:
        it.store.swap(snapshot_of(1, {"plain": 1, "secret": vault()}))
        await it.until_told({"secret": True})
        with pytest.raises(UnrenderableError, match="secret"):
            rendered(files, it.store.current, ANYBODY, 0)
        it.place.opened.set()
        await it.until("secret", CANARY)
        (content,) = rendered(files, it.store.current, ANYBODY, 0).values()
        assert (decode(content.data)["secret"], content.mode) == (CANARY, 0o600)


LOCAL_TOKEN = "local-token-0123456789abcdef"
SHOWS = {"Authorization": f"Bearer {LOCAL_TOKEN}"}


async def value(session: aiohttp.ClientSession, agent: Process, key: str, **headers: str) -> tuple[int, Any]:
    async with session.get(f"{agent.url}/v1/values/{key}", headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


async def until_value(session: aiohttp.ClientSession, agent: Process, key: str, expected: str) -> None:
    with anyio.fail_after(DEADLINE):
        while await value(session, agent, key, **SHOWS) != (200, expected):
            await anyio.sleep(0.02)


def alone(tmp_path: Path, values: Mapping[str, Json], **settings: str) -> Process:
    """An agent with a last known good and no control plane."""
    snapshot = snapshot_of(7, values)
    with closing(FileKeeper(tmp_path / "state", "billing", "prod")) as keeper:
        keeper.keep(snapshot, snapshot.document())
    port = free_port()
    environ = {
        "TRIMTAB_APP": "billing",
        "TRIMTAB_ENVIRONMENT": "prod",
        "TRIMTAB_CONTROL_PLANE_URL": "http://127.0.0.1:9",
        "TRIMTAB_AGENT_TOKEN": "not-asked-for",
        "TRIMTAB_AGENT_LISTEN": f"127.0.0.1:{port}",
        "TRIMTAB_AGENT_STATE_DIR": str(tmp_path / "state"),
        "TRIMTAB_AGENT_LOCAL_TOKEN": LOCAL_TOKEN,
        "TRIMTAB_AGENT_FILES": str(tmp_path / "out.json"),
        "TRIMTAB_AGENT_LOG_LEVEL": "DEBUG",
    }
    return Process("agent", [], f"http://127.0.0.1:{port}", environ | settings, tmp_path / "agent.log")


async def test_an_agent_serves_what_a_file_and_vault_hold_to_those_who_may_see_it(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "password").write_text(CANARY + "\n")
    (tmp_path / "token").write_text("root")
    double = VaultDouble(kv={"secret/db": [{"password": CANARY + "-vault"}]})
    values = {
        "file": {"$secret": {"provider": "file", "path": "password"}},
        "vault": vault(field="password"),
        "env": {"$secret": {"provider": "env", "name": "HOME"}},
        "plain": 1,
    }
    async with serving(double.app()) as url, aiohttp.ClientSession() as session:
        agent = alone(
            tmp_path,
            values,
            TRIMTAB_AGENT_SECRET_PROVIDERS="file,vault",
            TRIMTAB_AGENT_SECRET_DIRECTORIES=str(tmp_path / "secrets"),
            TRIMTAB_AGENT_VAULT_URL=url,
            TRIMTAB_AGENT_VAULT_TOKEN_FILE=str(tmp_path / "token"),
            TRIMTAB_AGENT_FILES=f"{tmp_path}/out.env",
        )
        with closing(agent):
            agent.start()
            await agent.until_ok("/readyz")
            assert await value(session, agent, "file", **SHOWS) == (200, CANARY)
            assert await value(session, agent, "vault", **SHOWS) == (200, CANARY + "-vault")
            assert (await value(session, agent, "file"))[0] == 401
            status, problem = await value(session, agent, "env", **SHOWS)
            assert (status, problem["error_code"], CANARY in str(problem)) == (503, "GENERAL", False)
            assert await value(session, agent, "plain") == (200, 1)
            assert not (tmp_path / "out.env").exists()
            (tmp_path / "secrets" / "password").write_text("rotated")
            await until_value(session, agent, "file", "rotated")
            for path in ("/status", "/metrics", "/v1/configs", "/v1/explain/file"):
                async with session.get(agent.url + path) as answer:
                    assert CANARY.encode() not in await answer.read(), path
    kept = [each.read_bytes() for each in (tmp_path / "state").rglob("*") if each.is_file()]
    assert not [each for each in (*kept, (tmp_path / "agent.log").read_bytes()) if CANARY.encode() in each]


async def test_files_are_rendered_once_with_secrets(tmp_path: Path) -> None:
    (tmp_path / "password").write_text(CANARY)
    agent = alone(
        tmp_path,
        {"file": {"$secret": {"provider": "file", "path": "password"}}},
        TRIMTAB_AGENT_SECRET_PROVIDERS="file",
        TRIMTAB_AGENT_SECRET_DIRECTORIES=str(tmp_path),
    )
    agent.command += ["render", "--once", "--timeout", "5"]
    with closing(agent):
        agent.start()
        with anyio.fail_after(20):
            while not (tmp_path / "out.json").exists():
                await anyio.sleep(0.02)
    assert decode((tmp_path / "out.json").read_bytes()) == {"file": CANARY}
    assert stat.S_IMODE((tmp_path / "out.json").stat().st_mode) == 0o600


async def rows(url: str) -> list[str]:
    """Every row of every table, as text."""
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch("SELECT format('%I.%I', schemaname, tablename) FROM pg_tables")
        return [str(row) for each in tables for row in await connection.fetch(f"SELECT t::text FROM {each[0]} t")]  # noqa: S608 - names of tables
    finally:
        await connection.close()


async def test_the_control_plane_never_sees_what_a_reference_stands_for(tmp_path: Path, migrated_url: str) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "password").write_text(CANARY)
    async with installation(tmp_path, Servers(migrated_url)) as site:
        control_plane = await site.control_plane(TRIMTAB_LOG_LEVEL="DEBUG")
        await site.register(control_plane)
        agent = await site.agent(
            "one",
            [control_plane],
            TRIMTAB_AGENT_LOCAL_TOKEN=LOCAL_TOKEN,
            TRIMTAB_AGENT_SECRET_PROVIDERS="file",
            TRIMTAB_AGENT_SECRET_DIRECTORIES=str(tmp_path / "secrets"),
            TRIMTAB_AGENT_LOG_LEVEL="DEBUG",
        )
        reference = {"$secret": {"provider": "file", "path": "password"}}
        await site.put(control_plane, "db.password", reference)
        await until_value(site.session, agent, "db.password", CANARY)
        await site.put(control_plane, "gone", {"$secret": {"provider": "file", "path": "gone"}})
        with anyio.fail_after(15):  # the agent's report of the one that it cannot resolve
            while "gone" not in str(await site.get(control_plane, "/agents")):
                await anyio.sleep(0.05)
        with pytest.raises(ApiError) as refused:
            await site.put(control_plane, "bad", {"$secret": {"provider": "file", "path": "../../etc/shadow"}})
        assert (refused.value.status, "$secret/path" in str(refused.value)) == (422, True)
        found = await rows(migrated_url)
        logs = [each.log.read_text() for each in site.processes]
        assert any("db.password" in each for each in found)
        assert not [each for each in (*found, *logs) if CANARY in each]
