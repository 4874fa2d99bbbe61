"""JSON Schemas of configs: what is taken, what is refused, and that none of them can hang or reach out."""

import http.server
import threading
import time
from typing import Any

import pytest

from control_plane.domain.errors import InvalidError
from control_plane.domain.schema import Checker
from shared.domain.codec import canonical


def _checker(schema: Any, pattern: str = "*") -> Checker:
    return Checker(None, pattern, canonical(schema))


def _pointers(schema: Any) -> list[str]:
    with pytest.raises(InvalidError) as refused:
        _checker(schema)
    return [each.pointer for each in refused.value.violations]


def test_a_value_is_held_against_its_schema_with_pointers_into_it() -> None:
    checker = _checker({"properties": {"pool/size": {"maximum": 10}, "mode": {"enum": ["a", "b"]}}, "required": ["x"]})
    found = list(checker.violations(canonical({"pool/size": 30, "mode": "secretive"})))
    assert {each.pointer for each in found} == {"/pool~1size", "/mode", ""}
    assert not any("secretive" in each.detail for each in found)
    assert list(checker.violations(canonical({"x": 1}))) == []


def test_a_pattern_is_a_key_or_has_stars() -> None:
    exact, glob = _checker(True, "db.pool"), _checker(True, "db.*")
    assert (exact.covers("db.pool"), exact.covers("dbxpool"), exact.covers("db.pool2")) == (True, False, False)
    assert (glob.covers("db.pool"), glob.covers("db."), glob.covers("dbx"), glob.covers("a.db.b")) == (
        True,
        True,
        False,
        False,
    )


def test_violations_of_a_value_are_bounded() -> None:
    checker = _checker({"items": {"type": "string"}})
    assert len(list(checker.violations(canonical(list(range(1_000)))))) == 20


@pytest.mark.parametrize(
    ("schema", "pointer"),
    [
        (5, ""),
        ([], ""),
        ({"type": "nope"}, "/type"),
        ({"properties": {"x": {"type": 5}}}, "/properties/x/type"),
        ({"properties": {"x": 5}}, "/properties/x"),
        ({"pattern": "(a"}, "/pattern"),
        ({"pattern": "(?=a)b"}, "/pattern"),
        ({"pattern": r"(a)\1"}, "/pattern"),
        ({"pattern": "((a{1000}){1000}){1000}"}, "/pattern"),
        ({"patternProperties": {"(a": {}}}, "/patternProperties/(a"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "/$schema"),
        ({"properties": {"x": {"$id": "http://example.com/x"}}}, "/properties/x/$id"),
        ({"$dynamicRef": "#x"}, "/$dynamicRef"),
        ({"$ref": "#/$defs/missing"}, "/$defs/missing"),
        ({"$ref": "other.json"}, "/$ref"),
        ({"items": {"$ref": "file:///etc/passwd"}}, "/items/$ref"),
        ({"$ref": "https://json-schema.org/draft/2020-12/schema"}, "/$ref"),
        ({"$ref": "#"}, ""),
        ({"allOf": [{"not": {"$ref": "#"}}]}, ""),
        ({"description": "x" * 70_000}, ""),
        ({"allOf": [{"pattern": "a"}] * 33}, ""),
    ],
)
def test_what_is_no_schema_of_ours_is_pointed_at(schema: Any, pointer: str) -> None:
    assert pointer in _pointers(schema)


def test_a_schema_may_refer_to_its_own_parts_even_to_itself_below() -> None:
    tree = {"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}, "leaf": {"$ref": "#leaf"}}}
    checker = _checker(tree | {"$defs": {"leaf": {"$anchor": "leaf", "type": "integer"}}})
    assert [each.pointer for each in checker.violations(canonical({"left": {"right": {"leaf": "x"}}}))] == [
        "/left/right/leaf"
    ]


@pytest.mark.parametrize("below", [False, True])
def test_a_schema_that_doubles_its_work_at_each_step_is_refused(*, below: bool) -> None:
    def twice(index: int) -> Any:
        ref = {"$ref": f"#/$defs/n{index + 1}"}
        return {"allOf": [{"items": ref}, {"items": ref}] if below else [ref, ref]}

    steps = {f"n{index}": twice(index) for index in range(40)}
    assert _pointers({"$ref": "#/$defs/n0", "$defs": steps | {"n40": True}}) == [""]


def test_no_reference_is_ever_fetched() -> None:
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/schema.json"
        for schema in ({"$ref": url}, {"$id": url, "$ref": "x.json"}, {"$schema": url}, {"allOf": [{"$ref": url}]}):
            assert _pointers(schema)
        # also where only an instance could lead there, and where it is no reference at all
        _checker({"$id": url, "const": {"$ref": url}, "enum": [{"$ref": url}]})
        server.shutdown()
        thread.join()
    assert asked == []


@pytest.mark.parametrize("pattern", ["(a+)+$", "^(a|aa)+$", "(.*a){40}c", "[ab]*a[ab]{400}c", "(a?){200}a{200}b"])
def test_a_catastrophic_regular_expression_cannot_hang(pattern: str) -> None:
    checker = _checker({"pattern": pattern})
    began = time.monotonic()
    list(checker.violations(canonical("a" * 60_000 + "!")))
    list(checker.violations(canonical("ab" * 30_000)))
    assert time.monotonic() - began < 2


def test_a_long_value_is_not_held_against_regular_expressions() -> None:
    (found,) = _checker({"pattern": "x"}).violations(canonical("x" * 70_000))
    assert "65,536" in found.detail
    assert list(_checker({"type": "string"}).violations(canonical("x" * 70_000))) == []
