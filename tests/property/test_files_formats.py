"""A rendered file gives its reader the values that went in."""

import io
import shutil
import subprocess
import tempfile
from collections.abc import Mapping

import orjson
import pytest
import yaml
from dotenv import dotenv_values
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from agent.files.dotenv import UnrenderableError, variable_name
from agent.files.formats import render
from agent.files.target import Format
from shared.domain.codec import Json, canonical
from shared.domain.scope import KEY_PATTERN
from shared.wire.yaml_reading import read_yaml

KEYS = st.from_regex(KEY_PATTERN, fullmatch=True)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)
TRICKY = st.sampled_from(
    [
        *(
            "no",
            "Yes",
            "on",
            "OFF",
            "y",
            "N",
            "null",
            "~",
            "true",
            "=",
            "<<",
            "1e3",
            "1.5e3",
            "0o14",
            "012",
            "0x1F",
            "1_000",
        ),
        *(
            "2020-01-01",
            "12:30:45",
            ".inf",
            "-.INF",
            ".nan",
            "- a",
            "a: b",
            "a #b",
            "#a",
            "&a",
            "*a",
            "!a",
            "%a",
            "@a",
            "`a",
        ),
        *(
            "",
            " ",
            " a",
            "a ",
            "a\n",
            "\na",
            "a\r\nb",
            "\t",
            "\\",
            "\\\\",
            "a'b",
            'a"b',
            "$HOME",
            "${HOME}",
            "`id`",
            "$(id)",
        ),
        *(
            "\x85",
            "\u2028",
            "\ufeff",
            "\x7f",
            "\U0001f680",
            "blå",
            "---",
            "...",
            "? a",
            "{a",
            "[a",
            "|",
            ">",
            "a,b",
            "it's $5",
        ),
    ]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXTS,
    TRICKY,
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS | TRICKY, inner, max_size=4),
    max_leaves=12,
)
CONFIGS = st.dictionaries(
    KEYS | st.sampled_from(["no", "1e3", "0o14", "null", "1.5", "-".join("ab")]), VALUES, max_size=6
)


def rendered(form: Format, values: Mapping[str, Json]) -> bytes:
    return render(form, {key: canonical(value) for key, value in values.items()})


def normal(values: Mapping[str, Json]) -> Json:
    return {key: orjson.loads(canonical(value)) for key, value in values.items()}


def same(left: Json, right: Json) -> bool:
    """Equal, and of equal types all the way down: `1`, `1.0` and `True` are three things."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and left == right


@given(CONFIGS)
def test_json_gives_back_what_went_in(values: dict[str, Json]) -> None:
    assert same(orjson.loads(rendered(Format.JSON, values)), normal(values))


@settings(max_examples=300)
@given(CONFIGS)
def test_a_reader_of_yaml_1_1_gets_what_went_in(values: dict[str, Json]) -> None:
    assert same(yaml.load(rendered(Format.YAML, values), Loader=yaml.CSafeLoader), normal(values))


@settings(max_examples=300)
@given(CONFIGS)
def test_a_reader_of_yaml_1_2_gets_what_went_in(values: dict[str, Json]) -> None:
    assert same(YAML(typ="safe", pure=True).load(rendered(Format.YAML, values)), normal(values))


@settings(max_examples=300)
@given(CONFIGS)
def test_our_own_reader_of_yaml_gets_what_went_in(values: dict[str, Json]) -> None:
    assert same(read_yaml(rendered(Format.YAML, values)), normal(values))


def test_yaml_keys_too_long_for_the_simple_form_are_read_as_well() -> None:
    values = {"k": {"x" * 2_000: 1, "y" * 2_000: {"z": [1, {"a" * 1_500: []}]}}}
    assert yaml.safe_load(rendered(Format.YAML, values)) == values
    assert YAML(typ="safe", pure=True).load(rendered(Format.YAML, values)) == values


def test_what_only_some_readers_take_for_a_number_is_quoted() -> None:
    assert rendered(Format.YAML, {"a": "e1", "b": "E-5", "c": "e2e"}).decode().splitlines()[1:] == [
        'a: "e1"',
        'b: "E-5"',
        "c: e2e",
    ]


def test_yaml_reads_well() -> None:
    values = {
        "db": {"hosts": ["a.example", "b.example"], "port": 5432},
        "greeting": "grüß dich",
        "off": "off",
        "rate": 2.5e-07,
    }
    text = rendered(Format.YAML, values).decode()
    assert text.splitlines()[1:] == [
        "db:",
        "  hosts:",
        "    - a.example",
        "    - b.example",
        "  port: 5432",
        'greeting: "grüß dich"',
        '"off": "off"',
        "rate: 2.5e-07",
    ]


ENVIRONMENT = st.dictionaries(
    st.from_regex(r"[a-z][a-z0-9]{3,12}", fullmatch=True).map(lambda name: f"app.{name}"),
    st.one_of(TEXTS, TRICKY, SCALARS, st.lists(TEXTS, max_size=3)).filter(lambda value: "\0" not in str(value)),
    max_size=6,
)


def as_text(value: Json) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else canonical(value).decode()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ENVIRONMENT)
def test_a_shell_that_sources_the_file_has_exactly_the_values(values: dict[str, Json]) -> None:
    shell = shutil.which("sh")
    assert shell is not None
    show = " ".join(f'"${variable_name(key)}"' for key in values)
    with tempfile.NamedTemporaryFile() as file:
        file.write(rendered(Format.DOTENV, values))
        file.flush()
        script = f". {file.name}; printf '%s\\0' {show}"
        done = subprocess.run([shell, "-euc", script], capture_output=True, check=False)  # noqa: S603 - our own
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"".join(as_text(value).encode() + b"\0" for value in values.values()) or not values


def hard_for_python_dotenv(text: str) -> bool:
    literal = "'" not in text and "\\\\" not in text and not text.endswith("\\")
    return "\r" in text or (not literal and ("$" in text or "`" in text))


@given(ENVIRONMENT)
def test_python_dotenv_reads_the_values(values: dict[str, Json]) -> None:
    values = {key: value for key, value in values.items() if not hard_for_python_dotenv(as_text(value))}
    stream = io.StringIO(rendered(Format.DOTENV, values).decode())
    assert dotenv_values(stream=stream, interpolate=False) == {
        variable_name(key): as_text(value) for key, value in values.items()
    }


def test_two_keys_for_one_variable_are_an_error_that_names_both() -> None:
    with pytest.raises(UnrenderableError, match=r"'db\.pool' and 'db_pool' would both be DB_POOL"):
        rendered(Format.DOTENV, {"db.pool": 1, "db_pool": 2})


def test_a_value_that_no_variable_can_hold_is_an_error_that_names_its_key() -> None:
    with pytest.raises(UnrenderableError, match=r"'a\.b' holds a NUL"):
        rendered(Format.DOTENV, {"a.b": "x\0y"})


def test_a_name_does_not_start_with_a_digit() -> None:
    assert rendered(Format.DOTENV, {"2fa.enabled": True}).decode().splitlines()[1] == "_2FA_ENABLED=true"
