"""What a set's files hold: which configs, under which names, for whom, with which mode."""

from pathlib import Path

import orjson
import pytest

from agent.files.file_set import FileSet
from agent.files.rendering import rendered
from agent.files.target import File, Format, Layout, Owner, Selection
from agent.files.unrenderable import UnrenderableError
from agent.snapshot.own import own_context
from shared.domain.codec import Json, canonical
from shared.domain.context import EvaluationContext
from shared.domain.entry import Entry, Kind
from tests.fakes.snapshots import following, snapshot_of

OWN = own_context("i-1", "billing", "prod", {"region": "eu"})
VALUES: dict[str, Json] = {"db.pool": 20, "db.host": "a", "db.password": "geheim", "web.port": 80, "name": "x"}
SNAPSHOT = snapshot_of(7, VALUES, sensitive={"db.password"})


def in_directory(*files: File) -> FileSet:
    return FileSet(name="set", files=files, directory=Path("/run/app"))


def held(file: File) -> Json:
    return orjson.loads(rendered(in_directory(file), SNAPSHOT, OWN, 0)[str(file.path)].data)


def app_json(**selection: object) -> File:
    return File(Path("app.json"), Format.JSON, Selection(**selection))  # type: ignore[arg-type]


def test_files_hold_what_their_prefixes_select() -> None:
    assert held(app_json()) == VALUES
    assert held(app_json(prefixes=("web.", "na"))) == {"web.port": 80, "name": "x"}
    assert held(app_json(prefixes=("nothing.",))) == {}


def test_prefixes_are_taken_off_the_longest_first_and_renames_are_final() -> None:
    chosen = app_json(prefixes=("db.", "db.p", "na"), strip=True, renames={"name": "app.name"})
    assert held(chosen) == {"host": "a", "ool": 20, "assword": "geheim", "app.name": "x"}


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        (Selection(prefixes=("name",), strip=True), "app.json: without its prefix nothing is left of 'name'"),
        (Selection(renames={"name": "db.pool"}), "app.json: 'db.pool' and 'name' would both be 'db.pool'"),
    ],
)
def test_names_that_cannot_be_are_errors_that_name_the_file_and_the_keys(selection: Selection, said: str) -> None:
    with pytest.raises(UnrenderableError) as caught:
        rendered(in_directory(File(Path("app.json"), Format.JSON, selection)), SNAPSHOT, OWN, 0)
    assert str(caught.value).startswith(said)
    assert caught.value.file == "app.json"


def test_a_file_is_for_whom_its_set_says_and_nobody_speaks_for_the_agent() -> None:
    def when(attribute: str, value: str, variant: str) -> Json:
        return {"when": {"attribute": attribute, "op": "eq", "values": [value]}, "serve": variant}

    rules = [when("agent.label.region", "eu", "eu"), when("country", "SE", "se"), when("targetingKey", "ada", "ada")]
    flag = {"variants": {"eu": 1, "se": 2, "ada": 3, "none": 0}, "default": "none", "rules": rules}
    snapshot = following(snapshot_of(1, {}), 2, {"f": Entry("f", Kind.FLAG, canonical(flag), 1, 2)})

    def yields(context: EvaluationContext, own: EvaluationContext) -> int:
        file = File(Path("/a.json"), Format.JSON, context=context)
        found: int = orjson.loads(rendered(FileSet.alone(file), snapshot, own, 0)["/a.json"].data)["f"]
        return found

    elsewhere = own_context("i-1", "billing", "prod", {"region": "us"})
    assert yields(EvaluationContext(), elsewhere) == 0
    assert yields(EvaluationContext(attributes={"country": "SE"}), elsewhere) == 2
    assert yields(EvaluationContext("ada"), elsewhere) == 3
    assert yields(EvaluationContext(attributes={"country": "SE"}), OWN) == 1
    assert yields(EvaluationContext(attributes={"agent.label.region": "eu"}), elsewhere) == 0


@pytest.mark.parametrize(
    ("form", "layout"),
    [
        (Format.JSON, Layout(nested=True)),
        (Format.DOTENV, Layout(flatten=True)),
        (Format.PROPERTIES, Layout()),
        (Format.INI, Layout()),
    ],
)
def test_what_is_wrong_with_a_sensitive_value_is_told_without_the_names_of_its_members(
    form: Format, layout: Layout
) -> None:
    """Which may be keys of somebody's, as in a table of tokens."""
    values: dict[str, Json] = {"db": {"tok-9f31": {"a": "x\0"}}, "db.tok-9f31.a": 1, "db.tok-9f31": "\x01"}
    said = {}
    for secret in (False, True):
        snapshot = snapshot_of(7, values, sensitive={"db"} if secret else set())
        with pytest.raises(UnrenderableError) as caught:
            rendered(in_directory(File(Path("app"), form, layout=layout)), snapshot, OWN, 0)
        said[secret] = str(caught.value).lower().replace("_", "-")
    assert "tok-9f31" in said[False]
    assert "tok-9f31" not in said[True]
    assert said[True].startswith("app: its format cannot say")


def test_sensitive_values_make_a_file_private_unless_it_is_said_otherwise() -> None:
    owner = Owner("root", "app")
    found = rendered(
        in_directory(
            File(Path("all.json"), Format.JSON),
            File(Path("web.json"), Format.JSON, Selection(prefixes=("web.",)), owner=owner),
            File(Path("open.json"), Format.JSON, mode=0o644),
        ),
        SNAPSHOT,
        OWN,
        0,
    )
    assert {path: (each.mode, each.sensitive) for path, each in found.items()} == {
        "all.json": (0o600, True),
        "web.json": (0o640, False),
        "open.json": (0o644, True),
    }
    assert (found["web.json"].owner, found["web.json"].keys) == (owner, ("web.port",))


def test_one_file_per_key_stands_in_its_directory() -> None:
    secrets = File(Path("secrets"), Format.KEYS, Selection(prefixes=("db.",), strip=True))
    found = rendered(in_directory(secrets, File(Path("a.json"), Format.JSON)), SNAPSHOT, OWN, 0)
    assert {path: each.data for path, each in found.items() if path != "a.json"} == {
        "secrets/host": b"a",
        "secrets/password": b"geheim",
        "secrets/pool": b"20",
    }


def test_two_things_at_one_path_are_an_error() -> None:
    values = {"a.json": 1, "sub": 2}
    keys = File(Path(), Format.KEYS)
    for other in ("a.json", "sub/b.json"):
        with pytest.raises(UnrenderableError, match="something else of the set is there already"):
            rendered(in_directory(File(Path(other), Format.JSON), keys), snapshot_of(1, values), OWN, 0)


def test_layouts_reach_the_formats() -> None:
    file = File(Path("a.json"), Format.JSON, Selection(prefixes=("db.p",)), Layout(nested=True))
    assert held(file) == {"db": {"pool": 20, "password": "geheim"}}
    env = File(Path("/a.env"), Format.DOTENV, Selection(prefixes=("db.ho",), renames={"db.host": "database_host"}))
    assert rendered(FileSet.alone(env), SNAPSHOT, OWN, 0)["/a.env"].data.endswith(b"\ndatabase_host=a\n")
