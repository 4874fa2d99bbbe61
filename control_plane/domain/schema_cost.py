"""How much work a JSON Schema may ask for, read from its form alone: before anything is held against it.

Two small schemas that refer to each other twice at each step are exponential work. So every place of a value must be
looked at a bounded number of times, however deep it lies: places are counted along the way down, where alternatives
that exclude each other (one of `properties`) count once and everything that applies together adds up.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeAlias
from urllib.parse import unquote

from shared.domain.codec import Json
from shared.wire.problem import Violation

MAX_LOOKS = 2_000
"""How often one place of a value may be looked at."""
MAX_DEPTH = 32
"""Of values, see `Limits.value_depth`."""
MAX_EXPRESSIONS = 32
DIALECT = "https://json-schema.org/draft/2020-12/schema"

_HERE = ("not", "if", "then", "else")
_HERE_LISTS = ("allOf", "anyOf", "oneOf")
_BELOW = (
    "additionalProperties",
    "propertyNames",
    "unevaluatedProperties",
    "items",
    "contains",
    "unevaluatedItems",
)
_REFUSED = ("$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor")

_Node: TypeAlias = str
"""A schema within the schema, by its JSON Pointer."""


@dataclass(slots=True)
class Shape:
    """What a schema asks for: how many regular expressions, and what is wrong with that."""

    expressions: int = 0
    violations: list[Violation] = field(default_factory=list)


@dataclass(slots=True)
class _Links:
    """Which schemas apply together with one: to the same place, or to the places below (any of a group)."""

    here: list[_Node] = field(default_factory=list)
    below: list[list[_Node]] = field(default_factory=list)


def shape_of(schema: Json) -> Shape:
    """Look through a schema and everything that it refers to within itself."""
    shape, links = Shape(), {}
    waiting: list[_Node] = [""]
    anchors = _anchors(schema)
    while waiting:
        node = waiting.pop()
        if node in links:
            continue
        found = _found(schema, node)
        if not isinstance(found, (dict, bool)):
            shape.violations.append(Violation(node, "a schema is an object, true or false"))
            continue
        links[node] = _links(node, found, anchors, shape) if isinstance(found, dict) else _Links()
        waiting += [*links[node].here, *(each for group in links[node].below for each in group)]
    if shape.expressions > MAX_EXPRESSIONS:
        shape.violations.append(Violation("", f"the limit of regular expressions in a schema is {MAX_EXPRESSIONS}"))
    if not shape.violations:
        shape.violations.extend(_too_much(links))
    return shape


def _links(node: _Node, schema: dict[str, Any], anchors: dict[str, _Node], shape: Shape) -> _Links:
    links = _Links(here=[f"{node}/{name}" for name in _HERE if name in schema])
    for name in _HERE_LISTS:
        links.here += _items(node, schema, name)
    links.here += _members(node, schema, "dependentSchemas")
    links.below = [[f"{node}/{name}"] for name in _BELOW if name in schema]
    links.below += [_members(node, schema, "properties"), _items(node, schema, "prefixItems")]
    links.below += [[each] for each in _members(node, schema, "patternProperties")]
    shape.expressions += ("pattern" in schema) + len(_members(node, schema, "patternProperties"))
    shape.violations += _foreign(node, schema)
    if "$ref" in schema:
        target = _target(schema["$ref"], anchors)
        if target is None:
            shape.violations.append(
                Violation(f"{node}/$ref", "a schema refers to its own parts only: #, #/$defs/name or #anchor")
            )
        else:
            links.here.append(target)
    return links


def _foreign(node: _Node, schema: dict[str, Any]) -> Iterator[Violation]:
    """Members that would make it another kind of schema, or let its parts be referred to in other ways."""
    if schema.get("$schema", DIALECT) not in {DIALECT, DIALECT + "#"}:
        yield Violation(f"{node}/$schema", f"is {DIALECT}, or is left out")
    if node and "$id" in schema:
        yield Violation(f"{node}/$id", "only the schema as a whole may have an $id")
    for name in _REFUSED:
        if name in schema:
            yield Violation(f"{node}/{name}", "references that are decided while validating are not supported")


def _too_much(links: dict[_Node, _Links]) -> Iterator[Violation]:
    try:
        order = list(TopologicalSorter({node: each.here for node, each in links.items()}).static_order())
    except CycleError:
        yield Violation("", "refers to itself without going down into the value")
        return
    above: dict[_Node, int] = dict.fromkeys(order, 0)
    for _ in range(MAX_DEPTH + 1):
        looks: dict[_Node, int] = {}
        for node in order:
            here, below = links[node].here, links[node].below
            count = 1 + sum(looks[each] for each in here)
            count += sum(max((above[each] for each in group), default=0) for group in below)
            looks[node] = min(count, MAX_LOOKS + 1)
        if looks == above:
            break
        above = looks
    if above[""] > MAX_LOOKS:
        yield Violation("", f"looks at one place of a value more than {MAX_LOOKS:,} times")


def _items(node: _Node, schema: dict[str, Any], name: str) -> list[_Node]:
    found = schema.get(name)
    return [f"{node}/{name}/{index}" for index in range(len(found))] if isinstance(found, list) else []


def _members(node: _Node, schema: dict[str, Any], name: str) -> list[_Node]:
    found = schema.get(name)
    return [f"{node}/{name}/{_step(each)}" for each in found] if isinstance(found, dict) else []


def _step(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _target(reference: Json, anchors: dict[str, _Node]) -> _Node | None:
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    fragment = unquote(reference[1:])
    return fragment if not fragment or fragment.startswith("/") else anchors.get(fragment)


def _found(schema: Json, node: _Node) -> Json:
    """What a pointer points at; None if at nothing."""
    here = schema
    for step in node.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(here, dict):
            here = here.get(name)
        elif isinstance(here, list) and name.isdecimal() and int(name) < len(here):
            here = here[int(name)]
        else:
            return None
    return here


def _anchors(schema: Json) -> dict[str, _Node]:
    """Every anchor in the schema with its place; one that stands in a value by chance costs nothing."""
    found: dict[str, _Node] = {}
    waiting: list[tuple[_Node, Json]] = [("", schema)]
    while waiting:
        node, here = waiting.pop()
        if isinstance(here, dict):
            if isinstance(here.get("$anchor"), str):
                found[here["$anchor"]] = node
            waiting += [(f"{node}/{_step(name)}", each) for name, each in here.items()]
        elif isinstance(here, list):
            waiting += [(f"{node}/{index}", each) for index, each in enumerate(here)]
    return found
