"""Flags: named variants, and ordered rules that say who is served which."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.domain.codec import Json, MalformedJsonError, canonical
from shared.domain.condition import Condition, parse_condition
from shared.domain.document import DocumentError, Faults, child
from shared.domain.split import MAX_SALT, Split, read_split

MAX_VARIANTS = 256
"""Variants of one flag."""
MAX_RULES = 256
"""Rules of one flag."""
MAX_NAME = 128
"""Characters of the name of a variant or a rule."""

_MEMBERS = ("variants", "default", "off", "on", "rules", "salt")
_RULE_MEMBERS = ("name", "when", "serve")
_SPLIT_MEMBERS = ("name", "when", "split", "unit", "salt", "bucketing")


@dataclass(frozen=True, slots=True)
class Rule:
    """Serves a variant, or one by bucket, to everybody whom `when` lets in; to everybody if there is none."""

    name: str | None
    when: Condition | None
    serve: str | Split


@dataclass(frozen=True, slots=True)
class Flag:
    """The variants (canonical JSON by name) and who gets which.

    Everybody gets `off` if it is not on. Else the first rule that matches decides; `default` is for whom none does.
    """

    variants: Mapping[str, bytes]
    default: str
    off: str
    on: bool
    rules: tuple[Rule, ...]


def parse_flag(document: Json, key: str, pointer: str = "") -> Flag:
    """Read the document of the flag with this key, which is the salt of its splits unless it gives one.

    Raises:
        DocumentError: it is not one; every fault is told.
    """
    faults = Faults()
    members = faults.members(document, pointer, _MEMBERS)
    variants = _variants(members.get("variants"), child(pointer, "variants"), faults)
    default = faults.choice(members.get("default"), child(pointer, "default"), variants)
    off = faults.choice(members.get("off", members.get("default")), child(pointer, "off"), variants)
    on = members.get("on", True)
    if not isinstance(on, bool):
        faults.add(child(pointer, "on"), "must be true or false")
    salt = faults.text(members.get("salt", key), child(pointer, "salt"), MAX_SALT, empty=True)
    written = members.get("rules", [])
    at = child(pointer, "rules")
    rules = [] if written == [] else faults.items(written, at, MAX_RULES)
    parsed = tuple(_rule(each, f"{at}/{index}", variants, salt, faults) for index, each in enumerate(rules))
    faults.refuse()
    return Flag(variants, default, off, on, parsed)


def salvage_flag(document: Json) -> tuple[bytes, str, bool] | None:
    """The default variant, its name and whether the flag is on, of one that cannot be understood as a whole.

    A newer control plane may write what this program does not know yet; nobody should get nothing for that, and what
    is off stays off. None if not even that can be read.
    """
    if not isinstance(document, dict) or not isinstance(variants := document.get("variants"), dict):
        return None
    on, default = document.get("on") is not False, document.get("default")
    name = default if on else document.get("off", default)
    return (canonical(variants[name]), name, on) if isinstance(name, str) and name in variants else None


def _variants(document: Json, pointer: str, faults: Faults) -> dict[str, bytes]:
    variants: dict[str, bytes] = {}
    members = faults.members(document, pointer, None)
    if isinstance(document, dict) and not 0 < len(members) <= MAX_VARIANTS:
        faults.add(pointer, f"must have from 1 to {MAX_VARIANTS} members, has {len(members):,}")
        return {}
    for name, value in members.items():
        faults.text(name, child(pointer, name), MAX_NAME)
        try:
            variants[name] = canonical(value)
        except MalformedJsonError as error:
            faults.add(child(pointer, name), str(error))
    return variants


def _rule(document: Json, pointer: str, variants: Mapping[str, bytes], salt: str, faults: Faults) -> Rule:
    splits = isinstance(document, dict) and "split" in document
    members = faults.members(document, pointer, _SPLIT_MEMBERS if splits else _RULE_MEMBERS)
    name = None if "name" not in members else faults.text(members["name"], child(pointer, "name"), MAX_NAME)
    when = read_when(members, pointer, faults)
    if splits:
        return Rule(name, when, read_split(members, pointer, variants, salt, faults))
    if "serve" not in members:
        if isinstance(document, dict):
            faults.add(pointer, "must have `serve` or `split`")
        return Rule(name, when, "")
    return Rule(name, when, faults.choice(members.get("serve"), child(pointer, "serve"), variants))


def read_when(members: Mapping[str, Any], pointer: str, faults: Faults) -> Condition | None:
    """The condition `when` of a rule or an exposure, if it has one."""
    if "when" not in members:
        return None
    try:
        return parse_condition(members["when"], child(pointer, "when"))
    except DocumentError as error:
        faults.extend(error)
        return None
