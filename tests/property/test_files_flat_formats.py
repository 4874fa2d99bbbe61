"""Files of lines (toml, properties, ini, dotenv, one file per key) give their readers what went in."""

import configparser
import io
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path

import javaproperties
import orjson
import pytest
import yaml
from dotenv import dotenv_values
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from agent.files.dotenv import variable_name
from agent.files.flattening import Joints, flattened
from agent.files.formats import document, render
from agent.files.key_files import key_files
from agent.files.nesting import nested
from agent.files.properties import JOINTS as PROPERTIES
from agent.files.target import Format, Layout
from agent.files.unrenderable import UnrenderableError
from shared.domain.codec import Json, canonical

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
HARD = st.sampled_from(
    [
        *("", " ", " a", "a ", "a\n", "\na", "a\nb", "a\n  b", "a\n\nb", "a\r\nb", "\t", "a\tb", "\f", "\x00", "\x7f"),
        *("a=b", "a:b", "#a", "!a", ";a", "a #b", "a ;b", "a\n#b", "a\n;b", "[a]", "a\n[b]", "=", ":", "%", "%(a)s"),
        *(
            "100%",
            "%%",
            "$HOME",
            "${a}",
            "\\",
            "\\\\",
            "\\n",
            "\\u0041",
            "'",
            '"',
            '"""',
            "'''",
            "a'b\"c",
            "blå",
            "\x85",
        ),
        *("\u2028", "\ufeff", "\U0001f680", "true", "1", "null", "2020-01-01", "inf"),
    ]
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXTS,
    HARD,
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS | HARD, inner, max_size=3),
    max_leaves=10,
)
KEYS = st.from_regex(r"[A-Za-z0-9_]{1,8}(\.[A-Za-z0-9_-]{1,8}){0,3}", fullmatch=True)
CONFIGS = st.dictionaries(KEYS, VALUES, max_size=5)


def rendered(form: Format, values: Mapping[str, Json], layout: Layout = Layout()) -> bytes:  # noqa: B008 - frozen
    return render(form, {key: canonical(value) for key, value in values.items()}, layout)


def normal(values: Mapping[str, Json]) -> dict[str, Json]:
    return {key: orjson.loads(canonical(value)) for key, value in sorted(values.items())}


def as_text(value: Json) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else canonical(value).decode()


def without_nulls(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


def same(left: Json, right: Json) -> bool:
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and left == right


def toml_can_say(value: Json) -> bool:
    if isinstance(value, dict):
        return all(map(toml_can_say, value.values()))
    if isinstance(value, list):
        return None not in value and all(map(toml_can_say, value))
    return not isinstance(value, int) or -(2**63) <= value < 2**63


@given(CONFIGS)
def test_a_reader_of_toml_gets_what_went_in_but_nulls(values: dict[str, Json]) -> None:
    values = normal(values)
    if all(map(toml_can_say, values.values())):
        assert same(tomllib.loads(rendered(Format.TOML, values).decode()), without_nulls(values))
    else:
        with pytest.raises(UnrenderableError, match=r"the value of '.*' has "):
            rendered(Format.TOML, values)


@given(CONFIGS)
def test_nested_members_are_the_same_tree_in_every_format(values: dict[str, Json]) -> None:
    values = normal(values)
    try:
        tree = nested(values)
    except UnrenderableError:
        assume(False)
    layout = Layout(nested=True)
    assert same(orjson.loads(rendered(Format.JSON, values, layout)), tree)
    assert same(yaml.load(rendered(Format.YAML, values, layout), Loader=yaml.CSafeLoader), tree)
    assert same(YAML(typ="safe", pure=True).load(rendered(Format.YAML, values, layout)), tree)
    if toml_can_say(tree):
        assert same(tomllib.loads(rendered(Format.TOML, values, layout).decode()), without_nulls(tree))


@given(CONFIGS)
def test_a_reader_of_properties_gets_every_scalar_by_its_name(values: dict[str, Json]) -> None:
    values = normal(values)
    try:
        expected = flattened(values, PROPERTIES)
    except UnrenderableError:
        assume(False)
    written = rendered(Format.PROPERTIES, values)
    assert written.isascii()
    assert javaproperties.loads(written.decode("latin-1")) == expected
    assert javaproperties.loads(written.decode()) == expected


@given(CONFIGS)
def test_a_reader_of_properties_gets_whole_values_as_json(values: dict[str, Json]) -> None:
    written = rendered(Format.PROPERTIES, normal(values), Layout(flatten=False))
    assert javaproperties.loads(written.decode()) == {key: as_text(value) for key, value in values.items()}


@given(st.dictionaries(KEYS, SCALARS, max_size=5), st.booleans())
def test_a_reader_of_ini_gets_what_went_in_or_it_is_an_error(values: dict[str, Json], percent: bool) -> None:  # noqa: FBT001
    values = normal(values)
    try:
        written = rendered(Format.INI, values, Layout(escape_percent=percent))
    except UnrenderableError:
        assume(False)
    reader = configparser.ConfigParser() if percent else configparser.ConfigParser(interpolation=None)
    with tempfile.TemporaryDirectory() as directory:
        (path := Path(directory, "a.ini")).write_bytes(written)
        assert reader.read(path, encoding="utf-8") == [str(path)]
    for key, value in values.items():
        section, dot, option = key.partition(".")
        assert reader[section if dot else "main"][option if dot else section] == as_text(value)
    assert sum(len(reader[section]) for section in reader.sections()) == len(values)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CONFIGS)
def test_a_shell_that_sources_flattened_values_has_each_scalar(values: dict[str, Json]) -> None:
    values = {f"app.{key}": value for key, value in normal(values).items()}
    joints = Joints("{}.{}", "{}.{}")
    try:
        written = rendered(Format.DOTENV, values, Layout(flatten=True))
    except UnrenderableError:
        assume(False)
    expected = {variable_name(name): text for name, text in flattened(values, joints).items()}
    shell = shutil.which("sh")
    assert shell is not None
    with tempfile.NamedTemporaryFile() as file:
        file.write(written)
        file.flush()
        shown = " ".join(f'"${name}"' for name in expected)
        script = f". {file.name}; printf '%s\\0' {shown}"
        done = subprocess.run([shell, "-euc", script], capture_output=True, check=False)  # noqa: S603 - our own
    assert done.returncode == 0, done.stderr
    assert done.stdout == b"".join(text.encode() + b"\0" for text in expected.values()) or not expected


@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_one_file_per_key_holds_the_bare_values(values: dict[str, Json]) -> None:
    values = normal(values)
    assert key_files(values) == {key: as_text(value).encode() for key, value in values.items()}


def test_toml_reads_well() -> None:
    values = {"db.pool": 20, "limits": {"burst": 5, "per": {"user": 1.5}}, "hosts": ["a", {"b": True}], "none": None}
    assert rendered(Format.TOML, values).decode().splitlines()[1:] == [
        '"db.pool" = 20',
        'hosts = ["a", {b = true}]',
        "",
        "[limits]",
        "burst = 5",
        "",
        "[limits.per]",
        "user = 1.5",
    ]


def test_properties_read_well() -> None:
    values = {"db": {"hosts": ["a", {"name": "b"}], "none": None}, "greeting": "  grüß dich: du!", "a.path": "C:\\x"}
    assert rendered(Format.PROPERTIES, values).decode().splitlines()[1:] == [
        r"a.path=C:\\x",
        "db.hosts[0]=a",
        "db.hosts[1].name=b",
        "db.none=",
        r"greeting=\ \ gr\u00fc\u00df dich: du!",
    ]


def test_ini_reads_well() -> None:
    values = {"db.pool": 20, "db.tls": {"ca": "-----\nabc\n-----"}, "name": "a", "x": {"hosts": ["a", "b"]}}
    assert rendered(Format.INI, values).decode().splitlines()[1:] == [
        "[db]",
        "pool = 20",
        "tls.ca = -----",
        "    abc",
        "    -----",
        "",
        "[main]",
        "name = a",
        "",
        "[x]",
        "hosts.0 = a",
        "hosts.1 = b",
    ]


def test_names_that_somebody_chose_stay_as_they_are_in_dotenv() -> None:
    text = document(Format.DOTENV, {"http_proxy": "p", "db.pool": 2}, renamed={"http_proxy"})
    assert dotenv_values(stream=io.StringIO(text.decode())) == {"http_proxy": "p", "DB_POOL": "2"}


@pytest.mark.parametrize(
    ("form", "values", "layout", "said"),
    [
        (Format.JSON, {"db": 1, "db.pool": 2}, Layout(nested=True), "'db' and 'db.pool' both say what 'db' is"),
        (Format.JSON, {"db": {"a": 1}, "db.a": 2}, Layout(nested=True), "'db' and 'db.a' both say what 'db.a' is"),
        (Format.YAML, {"a.b": {}, "a": [1]}, Layout(nested=True), "'a' and 'a.b' both say what 'a' is"),
        (Format.TOML, {"a": [1, None]}, Layout(), "the value of 'a' has null in a list"),
        (Format.TOML, {"a": {"b": 2**63}}, Layout(), "the value of 'a' has a whole number of more than 64 bits"),
        (Format.PROPERTIES, {"a": {"b": 1}, "a.b": 2}, Layout(), "'a' and 'a.b' would both have 'a.b'"),
        (Format.PROPERTIES, {"a": {"b": {"c": 1}, "b.c": 2}}, Layout(), "two members of 'a' would both be 'a.b.c'"),
        (Format.INI, {"main.a": 1, "a": 2}, Layout(), "'a' and 'main.a' would both be 'a' in [main]"),
        (Format.INI, {"a.B": 1, "a.b": 2}, Layout(), "'a.B' and 'a.b' would both be 'b' in [a]; readers ignore case"),
        (Format.INI, {"default.a": 1}, Layout(), "'default.a' would stand in [default]"),
        (Format.INI, {"a": {"x=y": 1}}, Layout(), "'a.x=y' would be the option 'x=y'"),
        (Format.INI, {"a.b": " x"}, Layout(), "the value of 'a.b' has blanks or nothing at the ends of a line"),
        (Format.INI, {"a.b": "x\n\ny"}, Layout(), "the value of 'a.b' has blanks or nothing at the ends of a line"),
        (
            Format.INI,
            {"a.b": "x\n#y"},
            Layout(),
            "the value of 'a.b' has a line that readers of ini take for a comment",
        ),
        (Format.INI, {"a.b": "x\0y"}, Layout(), "the value of 'a.b' holds a control character"),
        (Format.DOTENV, {"a": {"b": 1}, "a.b": 2}, Layout(flatten=True), "'a' and 'a.b' would both have 'a.b'"),
        (Format.DOTENV, {"a": {"b": 1}, "a_b": 2}, Layout(flatten=True), "'a.b' and 'a_b' would both be A_B"),
    ],
)
def test_what_cannot_be_said_is_an_error_that_names_the_keys(
    form: Format, values: dict[str, Json], layout: Layout, said: str
) -> None:
    with pytest.raises(UnrenderableError) as caught:
        rendered(form, values, layout)
    assert said in caught.value.why


def test_objects_that_meet_become_one() -> None:
    assert nested({"db": {"a": 1, "x": {}}, "db.b": 2, "db.x.y": 3}) == {"db": {"a": 1, "b": 2, "x": {"y": 3}}}


@pytest.mark.parametrize("name", ["..data", ".", "a/b", "x" * 256, "a\0b"])
def test_what_is_no_name_of_a_file_is_an_error(name: str) -> None:
    with pytest.raises(UnrenderableError, match="cannot be the name of a file"):
        key_files({name: 1})
