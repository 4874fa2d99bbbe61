"""Sensitive values in the last known good: sealed, for nothing but their place, and lost with the key in a clear way."""

import base64
import logging
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from agent.snapshot import last_known_good
from agent.snapshot.journal import decode_base, encode_base
from agent.snapshot.last_known_good import FileKeeper
from agent.snapshot.model import Snapshot
from agent.snapshot.sealing import SealedError, Sealer
from agent.snapshot.state_key import KEY_BYTES, KeyMissingError, StateKey
from shared.domain.codec import decode, encode
from shared.domain.entry import Entry, Kind
from shared.domain.scope import Level, Revisions
from shared.wire.snapshot import MalformedSnapshotError, SnapshotDocument, SnapshotItem
from tests.fakes.control_plane import APP, ENVIRONMENT, LINEAGE, Model, Write

CANARY = b'"c4nary-0f-the-vault"'
OWN = LINEAGE.environment


def kept(directory: Path, many: int = 3, key: Path | None = None, *, tidy: bool = True) -> Snapshot:
    model, snapshot = Model(), Snapshot.empty(APP, ENVIRONMENT)
    with closing(FileKeeper(directory, APP, ENVIRONMENT, key)) as keeper:
        for number in range(many):
            model.commit(Write(OWN, f"plain{number}"), Write(OWN, f"key{number}", CANARY, sensitive=True))
            document = model.document(snapshot.revisions)
            snapshot = snapshot.after(document)
            keeper.keep(snapshot, document)
            if tidy:
                keeper.tidy()
        keeper.proven.keep(snapshot)
    return snapshot


def load(directory: Path, key: Path | None = None) -> tuple[Snapshot | None, str]:
    with closing(FileKeeper(directory, APP, ENVIRONMENT, key)) as keeper:
        return keeper.load(), keeper.trouble


def files(directory: Path) -> dict[Path, bytes]:
    return {each: each.read_bytes() for each in directory.rglob("*") if each.is_file()}


def a_key(path: Path, text: str | None = None) -> Path:
    path.write_text(text or base64.b64encode(os.urandom(KEY_BYTES)).decode())
    path.chmod(0o600)
    return path


def in_clear(snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    """Files as an agent wrote them before there were seals."""
    with monkeypatch.context() as patch:
        patch.setattr(Sealer, "encode", lambda _self, document: document.encode())
        patch.setattr("agent.snapshot.journal.FORMAT", 1)
        patch.setattr(last_known_good, "MAX_JOURNAL_RECORDS", 0)
        patch.setattr(last_known_good, "unsealed", lambda *_: [])
        with closing(FileKeeper(directory, APP, ENVIRONMENT)) as keeper:
            for _ in range(3):
                keeper.keep(snapshot, snapshot.document())
                keeper.tidy()
            keeper.proven.keep(snapshot)
    assert sum(CANARY.strip(b'"') in content for content in files(directory).values()) > 3


def test_no_file_holds_a_sensitive_value_in_clear_and_all_of_it_is_found_again(tmp_path: Path) -> None:
    snapshot = kept(tmp_path)
    assert len(files(tmp_path)) > 4
    assert not [path for path, content in files(tmp_path).items() if CANARY.strip(b'"') in content]
    assert load(tmp_path) == (snapshot, "")


def test_candidates_of_sensitive_configs_are_sealed_as_well(tmp_path: Path) -> None:
    rollout = encode({"id": "r", "candidate": "c4ndidate", "kind": "value"})
    entry = Entry("a", Kind.VALUE, CANARY, 1, 1, sensitive=True, rollout=rollout)
    item = SnapshotItem(Level.ENVIRONMENT, "a", entry, 1, 1)
    document = SnapshotDocument(APP, ENVIRONMENT, Revisions(0, 0, 1), (0, 0, entry.digest), True, (item,))
    sealer = Sealer(StateKey(tmp_path / "key"), APP, ENVIRONMENT)
    sealed = sealer.encode(document)
    assert b"c4n" not in sealed
    (found,) = sealer.decode(sealed).items
    assert found.entry is not None
    assert (found.entry.value, decode(found.entry.rollout)) == (CANARY, decode(rollout))


def test_an_agent_without_secrets_has_no_key_and_does_not_load_what_makes_one(tmp_path: Path) -> None:
    program = f"""
import sys
from contextlib import closing
from pathlib import Path
from agent.snapshot.last_known_good import FileKeeper
from agent.snapshot.model import Snapshot
snapshot = Snapshot.empty({APP!r}, {ENVIRONMENT!r})
with closing(FileKeeper(Path({str(tmp_path)!r}), {APP!r}, {ENVIRONMENT!r})) as keeper:
    keeper.keep(snapshot, snapshot.document())
    keeper.tidy()
assert not any(each.startswith("cryptography") for each in sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)  # noqa: S603 - our own program
    assert not (tmp_path / "keys").exists()


def test_the_key_stands_apart_from_the_records_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    kept(tmp_path)
    key = tmp_path / "keys" / f"{APP}.{ENVIRONMENT}.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    raw = base64.b64decode(key.read_bytes())
    assert not [path for path, content in files(tmp_path).items() if raw in content]


@pytest.mark.parametrize("lost", ["missing", "another", "garbage", "empty"])
def test_without_the_right_key_nothing_is_served_and_it_is_said_why(tmp_path: Path, lost: str) -> None:
    kept(tmp_path)
    key = tmp_path / "keys" / f"{APP}.{ENVIRONMENT}.key"
    match lost:
        case "missing":
            key.unlink()
        case "another":
            a_key(key)
        case "garbage":
            key.write_bytes(b"\xff" * 99)
        case _:
            key.write_bytes(b"")
    found, trouble = load(tmp_path)
    assert found is None
    assert str(key) in trouble
    assert CANARY.decode() not in trouble


def test_after_the_key_was_lost_what_is_fetched_anew_is_kept_with_a_new_one(tmp_path: Path) -> None:
    kept(tmp_path)
    (tmp_path / "keys" / f"{APP}.{ENVIRONMENT}.key").unlink()
    assert load(tmp_path)[0] is None
    snapshot = kept(tmp_path, 4)
    assert load(tmp_path) == (snapshot, "")


def test_a_key_that_comes_back_opens_what_it_sealed(tmp_path: Path) -> None:
    snapshot = kept(tmp_path)
    key = tmp_path / "keys" / f"{APP}.{ENVIRONMENT}.key"
    key.rename(tmp_path / "away")
    assert load(tmp_path)[0] is None
    (tmp_path / "away").rename(key)
    assert load(tmp_path) == (snapshot, "")


def test_an_older_state_without_secrets_is_not_served_in_place_of_one_that_does_not_open(tmp_path: Path) -> None:
    model, empty = Model(), Snapshot.empty(APP, ENVIRONMENT)
    with closing(FileKeeper(tmp_path, APP, ENVIRONMENT)) as keeper:
        model.commit(Write(OWN, "plain"))
        old = empty.after(model.document())
        keeper.keep(old, model.document())
        keeper.tidy()
        keeper.proven.keep(old)
        model.commit(Write(OWN, "secret", CANARY, sensitive=True))
        new = old.after(model.document(old.revisions))
        keeper.keep(new, model.document(old.revisions))
    (tmp_path / "keys" / f"{APP}.{ENVIRONMENT}.key").unlink()
    assert load(tmp_path)[0] is None


def test_where_no_key_can_be_made_a_secret_is_not_kept_and_never_in_clear(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="cannot be read"):
        kept(tmp_path, key=tmp_path / "nowhere")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "keys").write_text("in the way")
    with pytest.raises(OSError, match=r"exists|directory"):
        kept(tmp_path / "other")
    assert not [path for path, content in files(tmp_path).items() if CANARY.strip(b'"') in content]


@pytest.mark.parametrize("form", ["base64", "hex", "raw"])
def test_the_key_may_be_given_in_a_file(tmp_path: Path, form: str) -> None:
    raw = bytes(range(100, 100 + KEY_BYTES))
    given = tmp_path / "given"
    given.write_bytes({"base64": base64.b64encode(raw) + b"\n", "hex": raw.hex().encode(), "raw": raw}[form])
    snapshot = kept(tmp_path / "state", key=given)
    assert load(tmp_path / "state", given) == (snapshot, "")
    assert not (tmp_path / "state" / "keys").exists()
    assert StateKey(tmp_path, given).find() == raw


def test_a_credential_of_systemd_is_taken_and_what_the_settings_name_comes_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert StateKey.of(tmp_path / "state", "a.b").path == tmp_path / "state" / "keys" / "a.b.key"
    credential = a_key(tmp_path / "trimtab-state-key")
    assert StateKey.of(tmp_path / "state", "a.b").path == credential
    assert StateKey.of(tmp_path / "state", "a.b", tmp_path / "given").path == tmp_path / "given"


def test_a_key_that_others_may_read_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    a_key(tmp_path / "key").chmod(0o644)
    with caplog.at_level(logging.WARNING):
        StateKey(tmp_path / "none", tmp_path / "key").find()
    assert "0600" in caplog.text


def test_a_seal_opens_in_no_other_place(tmp_path: Path) -> None:
    key = StateKey(tmp_path / "key")
    snapshot = kept(tmp_path / "state", 1)
    sealer = Sealer(key, APP, ENVIRONMENT)
    body = decode(sealer.encode(snapshot.document()))
    (sealed,) = [each for each in body["entries"] if "sealed" in each]
    for member, other in {"level": "app", "key": "other", "kind": "flag", "version": 7, "revision": 9}.items():
        was, sealed[member] = sealed[member], other
        with pytest.raises(MalformedSnapshotError, match="a seal"):
            sealer.decode(encode(body))
        sealed[member] = was
    assert sealer.decode(encode(body)).items == snapshot.document().items
    for app_id, environment in (("other", ENVIRONMENT), (APP, "other")):
        with pytest.raises(MalformedSnapshotError, match="a seal"):
            Sealer(key, app_id, environment).decode(encode(body))


@pytest.mark.parametrize("broken", ["", "x", "no-dot", 7, None, {}, "{id}.", "{id}.AAAA", "{id}.é", "{id}.{half}"])
def test_a_broken_seal_is_damage_and_not_a_crash(tmp_path: Path, broken: object) -> None:
    sealer = Sealer(StateKey(tmp_path / "key"), APP, ENVIRONMENT)
    body = decode(sealer.encode(kept(tmp_path / "state", 1).document()))
    (sealed,) = [each for each in body["entries"] if "sealed" in each]
    which, _, text = sealed["sealed"].partition(".")
    sealed["sealed"] = broken.format(id=which, half=text[:40]) if isinstance(broken, str) else broken
    with pytest.raises((MalformedSnapshotError, SealedError)):
        sealer.decode(encode(body))


def test_what_an_agent_before_wrote_in_clear_is_read_once_sealed_and_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = kept(tmp_path / "other")
    in_clear(snapshot, monkeypatch, tmp_path / "state")
    (tmp_path / "state" / f"{APP}.{ENVIRONMENT}" / "000000000009.temporary").write_bytes(CANARY)
    assert load(tmp_path / "state") == (snapshot, "")
    assert not [path for path, content in files(tmp_path / "state").items() if CANARY.strip(b'"') in content]
    assert load(tmp_path / "state") == (snapshot, "")
    with closing(FileKeeper(tmp_path / "state", APP, ENVIRONMENT)) as keeper:
        assert keeper.proven.load() == snapshot


class KilledError(BaseException):
    """As if the process were no more: nothing that handles errors sees it."""


def dies_at(step: int, patch: pytest.MonkeyPatch, directory: Path) -> bool:
    """Load, dying before one of the steps that reach the disk; whether there were that many."""
    taken = 0

    def dying(reach: Callable[..., object]) -> Callable[..., object]:
        def reached(*arguments: object, **options: object) -> object:
            nonlocal taken
            taken += 1
            if taken > step:
                raise KilledError
            return reach(*arguments, **options)

        return reached

    for name in ("open", "write", "fsync", "rename", "replace", "unlink"):
        patch.setattr(os, name, dying(getattr(os, name)))
    try:
        load(directory)
    except KilledError:
        return True
    return False


def test_killed_at_any_moment_of_that_it_is_done_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = kept(tmp_path / "other")
    in_clear(snapshot, monkeypatch, tmp_path / "before")
    for step in count():
        state = tmp_path / f"state{step}"
        shutil.copytree(tmp_path / "before", state)
        with monkeypatch.context() as patch:
            died = dies_at(step, patch, state)
        assert load(state) == (snapshot, "")
        assert not [path for path, content in files(state).items() if CANARY.strip(b'"') in content]
        shutil.rmtree(state)
        if not died:
            break
    assert step > 10


def test_files_with_seals_say_another_format_so_that_agents_from_before_leave_them_alone(tmp_path: Path) -> None:
    snapshot = kept(tmp_path / "state")
    sealer = Sealer(StateKey(tmp_path / "key"), APP, ENVIRONMENT)
    content = encode_base(snapshot.document(), sealer)
    assert decode(content.partition(b"\n")[0])["format"] == 2
    assert decode_base(content, APP, ENVIRONMENT, sealer) == snapshot.document()


def test_the_key_of_another_installation_is_told_from_damage(tmp_path: Path) -> None:
    body = Sealer(StateKey(tmp_path / "one"), APP, ENVIRONMENT).encode(kept(tmp_path / "state", 1).document())
    StateKey(tmp_path / "two").have()
    with pytest.raises(SealedError, match="another key"):
        Sealer(StateKey(tmp_path / "two"), APP, ENVIRONMENT).decode(body)
    with pytest.raises(KeyMissingError):
        StateKey(tmp_path / "three").find()


_KEEP_FOREVER = """
import sys
from itertools import count
from pathlib import Path
from agent.snapshot.last_known_good import FileKeeper
from agent.snapshot.model import Snapshot
from tests.fakes.control_plane import APP, ENVIRONMENT, LINEAGE, Model, Write
keeper, model = FileKeeper(Path(sys.argv[1]), APP, ENVIRONMENT), Model()
snapshot = keeper.load() or Snapshot.empty(APP, ENVIRONMENT)
while model.revision < snapshot.revision:
    model.commit(Write(LINEAGE.environment, "a", str(model.revision + 1).encode(), sensitive=True))
for number in count():
    model.commit(Write(LINEAGE.environment, "a", str(model.revision + 1).encode(), sensitive=True))
    document = model.document(snapshot.revisions)
    snapshot = snapshot.after(document)
    keeper.keep(snapshot, document)
    print(snapshot.revision, flush=True)
    if number % 5 == 4:
        keeper.tidy()
"""


def test_killed_while_it_keeps_what_was_kept_last_opens_again(tmp_path: Path) -> None:
    for _ in range(3):
        words = [sys.executable, "-c", _KEEP_FOREVER, str(tmp_path)]
        with subprocess.Popen(words, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own program
            assert process.stdout is not None
            said = [process.stdout.readline() for _ in range(23)]
            process.kill()
            said += process.stdout.read().splitlines()
        found, trouble = load(tmp_path)
        assert (found is not None, trouble) == (True, "")
        assert found is not None
        assert found.revision >= int(said[-1])
        assert found.scopes[2]["a"].value == str(found.revision).encode()
