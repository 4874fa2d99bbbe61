"""YAML from people: one meaning, or a refusal that says where and why."""

from typing import Any

import pytest

from shared.wire.yaml_reading import MAX_DEPTH, YamlRefusedError, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1", {"a": 1}),
        ("a: -1.5e3", {"a": -1500.0}),
        ("a: 1e300", {"a": 1e300}),
        ("a:\nb: ~", {"a": None, "b": None}),
        ("a: [true, False, 'no', \"012\", no way]", {"a": [True, False, "no", "012", "no way"]}),
        ("a: |\n  one\n  two\n", {"a": "one\ntwo\n"}),
        ("a: 10.0.0.1", {"a": "10.0.0.1"}),
        ("a: 18446744073709551615", {"a": 2**64 - 1}),
        ('{"a": [1, {"b": null}]}', {"a": [1, {"b": None}]}),
        ("a: Grüße 🚀", {"a": "Grüße 🚀"}),
        ("text", "text"),
    ],
)
def test_what_every_reader_takes_for_the_same_is_read(text: str, value: Any) -> None:
    assert read_yaml(text) == value


@pytest.mark.parametrize(
    "word",
    ["no", "Yes", "on", "OFF", "y", "N", "012", "0o14", "0x1F", "0b11", "1_000", "+5", ".5", "5.", "08", "1:30",
     "2020-01-01", "2020-01-01 10:00:00", ".inf", "-.INF", ".nan", "=", "<<", "+1e3", "01e5", "1:30.5"],
)  # fmt: skip
def test_a_word_that_readers_dispute_is_refused_with_its_place(word: str) -> None:
    with pytest.raises(YamlRefusedError, match="line 2, column 4: readers of YAML disagree"):
        read_yaml(f"x: 1\na: {word}")
    assert read_yaml(f"a: '{word}'") == {"a": word}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: &x [1]\nb: *x", "anchors"),
        ("a: *x", "aliases"),
        ("a: &x 1", "anchors"),
        ("a: !!python/object:os.system x", "tags"),
        ("a: !!str 1", "tags"),
        ("a: 1\na: 2", "twice"),
        ("1: a", "a key is a text"),
        ("true: a", "a key is a text"),
        ("[a]: b", "a key is a text"),
        ("{}: b", "a key is a text"),
        ("on: push", "disagree"),
        ("a: 1\n---\nb: 2", "more than one document"),
        ("", "no document"),
        ("# nothing", "no document"),
        ("a: [1", "line 2, column 1"),
        ("a: 99999999999999999999", "64 bits"),
        ("a: " + "9" * 100_000, "64 bits"),
        ("a: 1e999", "finite"),
        ("a: \x00", "YAML"),
        ("[" * (MAX_DEPTH + 1), "deeper"),
        ("- " * (MAX_DEPTH + 1), "deeper"),
        ("{a: " * 100_000, "deeper"),
        ("%YAML 9.9\n---\na: 1", "."),
        ("\t- a", "line 1"),
    ],
)
def test_what_could_harm_or_mislead_is_refused(text: str, why: str) -> None:
    with pytest.raises(YamlRefusedError, match=why):
        read_yaml(text)


def test_bytes_that_are_no_utf_8_are_refused() -> None:
    with pytest.raises(YamlRefusedError, match="UTF-8"):
        read_yaml(b"a: \xff")


def test_a_bomb_of_nodes_is_refused() -> None:
    with pytest.raises(YamlRefusedError, match="nodes"):
        read_yaml("[" + "1," * 1_000_001 + "]")
