"""Configs as environment variables: names, what is inherited, and what the system does not take."""

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.files.unrenderable import UnrenderableError
from agent.supervising.environment import MAX_TOTAL, MAX_VARIABLE, Environment, changed_names
from agent.supervising.plan import Selection
from shared.domain.context import ANYBODY
from tests.fakes.snapshots import snapshot_of

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=50)
COMMAND = ("true",)


def variables(values: dict[str, object], selection: Selection | None = None) -> dict[str, str]:
    environment = Environment(selection or Selection(inherit=()), ANYBODY, COMMAND, {})
    return environment.at(snapshot_of(1, values), 0)


def test_names_are_those_of_dotenv_files() -> None:
    found = variables({"db.pool-size": 20, "2fast": True, "none": None, "list": [1, "a"], "text": "a b"})
    assert found == {"DB_POOL_SIZE": "20", "_2FAST": "true", "NONE": "", "LIST": '[1,"a"]', "TEXT": "a b"}


def test_the_longest_prefix_is_stripped_and_a_name_is_never_empty() -> None:
    selection = Selection(("db.", "db.main."), strip_prefix=True, inherit=())
    assert variables({"db.a": 1, "db.main.b": 2, "other": 3}, selection) == {"A": "1", "B": "2"}


def test_two_keys_of_one_name_are_refused_by_their_keys() -> None:
    with pytest.raises(UnrenderableError, match=r"'a-b' and 'a\.b' would both be A_B"):
        variables({"a.b": 1, "a-b": 2})


def test_our_own_settings_and_what_decides_what_runs_are_left_out() -> None:
    environment = Environment(Selection(inherit=()), ANYBODY, COMMAND, {})
    values = {"trimtab.agent.token": "x", "path": "x", "ld.preload": "x", "dyld_library_path": "x", "bash-env": "x"}
    assert environment.at(snapshot_of(1, values | {"ld": 1, "pathos": 2}), 0) == {"LD": "1", "PATHOS": "2"}
    assert set(environment.left_out) == set(values)
    assert variables(values, Selection(renames={"path": "PATH"}, inherit=()))["PATH"] == "x"


@pytest.mark.parametrize(
    ("key", "command"),
    [
        ("node.options", "node -e 1"),
        ("perl5opt", "perl -e 1"),
        ("shellopts", "bash -c :"),
        ("pythonwarnings", "python3 -c 1"),
        ("python.path", ""),
        ("java-tool-options", "java"),
        ("-java-options", "java"),
        ("ruby.opt", ""),
        ("COR_PROFILER", "dotnet"),
    ],
)
def test_no_key_becomes_what_an_interpreter_takes_code_from(key: str, command: str) -> None:
    """But for those that only look like it: PYTHON_PATH is nobody's."""
    taken = variables({key: "x"}, Selection(prefixes=(), inherit=()))
    assert bool(taken) is not bool(command)


@pytest.mark.parametrize(
    ("value", "said"),
    [("a\0hidden", "NUL"), ("x" * MAX_VARIABLE, "the system takes 131072")],
)
def test_what_cannot_be_a_variable_is_told_by_its_key_and_not_by_its_value(value: str, said: str) -> None:
    with pytest.raises(UnrenderableError) as error:
        variables({"db.name": value})
    assert said in str(error.value)
    assert "db.name" in str(error.value)
    assert "hidden" not in str(error.value)
    assert "xxx" not in str(error.value)


def test_more_than_the_system_takes_is_refused_and_what_is_taken_can_be_run() -> None:
    values: dict[str, object] = {f"k{number}": "x" * 100_000 for number in range(MAX_TOTAL // 100_000 + 1)}
    with pytest.raises(UnrenderableError, match="select fewer configs by prefix"):
        variables(values)
    biggest = {}
    for key, value in values.items():
        try:
            variables(biggest | {key: value})
        except UnrenderableError:
            break
        biggest[key] = value
    assert len(biggest) > 10
    assert subprocess.run(["/bin/true"], env=variables(biggest), check=False).returncode == 0


def test_the_longest_variable_that_is_taken_can_be_run() -> None:
    found = variables({"k": "x" * (MAX_VARIABLE - len("K") - 2)})
    assert subprocess.run(["/bin/true"], env=found, check=False).returncode == 0


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(st.sampled_from(["a", "b.c", "d-e", "f"]), TEXTS))
def test_a_command_reads_exactly_what_was_written(values: dict[str, str]) -> None:
    found = variables(dict(values))
    shown = subprocess.run(["/usr/bin/env", "-0"], env=found, capture_output=True, check=True)
    told = dict(each.partition("=")[::2] for each in shown.stdout.decode().split("\0") if each)
    assert sorted(told.values()) == sorted(values.values())


def test_what_is_inherited_is_a_choice_and_never_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"HOME": "/h", "LANG": "C", "TRIMTAB_AGENT_TOKEN": "hidden", "NOTIFY_SOCKET": "/n"}.items():
        monkeypatch.setenv(name, value)
    everything = variables({}, Selection())
    assert everything["HOME"] == "/h"
    assert not [name for name in everything if name.startswith("TRIMTAB_") or name == "NOTIFY_SOCKET"]
    assert variables({"lang": "de"}, Selection(inherit=("LANG", "TRIMTAB_AGENT_TOKEN"))) == {"LANG": "de"}


def test_changes_are_told_by_name() -> None:
    assert list(changed_names({"a": "1", "b": "1"}, {"b": "2", "c": "3"})) == ["a", "b", "c"]
