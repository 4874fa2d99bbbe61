"""Semantic versions (semver.org, 2.0.0): which are some, and which of two comes first."""

import re
from functools import lru_cache
from typing import TypeAlias

MAX_LENGTH = 256
"""Characters of a version; whatever is longer is none."""

Precedence: TypeAlias = tuple[int, int, int, tuple[tuple[int, int, str], ...]]
"""What versions are compared by. Equal ones may differ in build metadata."""

_KEPT = 256
"""Versions whose places are kept: there are few of an application at a time, and many who have them."""

_NUMBER = r"(0|[1-9][0-9]*)"
_IDENTIFIER = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)
_RELEASE = ((2, 0, ""),)
"""A release comes after all of its pre-releases, whose identifiers begin with 0 (numbers) or 1 (texts)."""


def precedence(text: str) -> Precedence | None:
    """The place of a version among all others; None if the text is no version, such as `1.2` or `v1.2.3`."""
    return _precedence(text) if len(text) <= MAX_LENGTH else None


@lru_cache(_KEPT)
def _precedence(text: str) -> Precedence | None:
    if (found := _VERSION.fullmatch(text)) is None:
        return None
    major, minor, patch, pre_release = found.groups()
    identifiers = _RELEASE if pre_release is None else tuple(map(_identifier, pre_release.split(".")))
    return int(major), int(minor), int(patch), identifiers


def _identifier(text: str) -> tuple[int, int, str]:
    return (0, int(text), "") if text.isdigit() else (1, 0, text)
