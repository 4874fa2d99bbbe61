"""Sealed values on their way out of the database: which keys a page of rows needs, then each row by itself."""

from collections.abc import Iterable

import asyncpg

from control_plane.postgres.sealing.data_keys import DataKeys
from control_plane.postgres.sealing.envelope import SIGN, is_sealed, key_of, open_sealed, version_place
from shared.domain.codec import Json, canonical, decode


def stored_value(text: str | None) -> bytes:
    """The canonical bytes of a jsonb column that is not sealed; empty for NULL."""
    return b"" if text is None else canonical(decode(text))


class Opening:
    """Opens the values of rows with `id`, `version` and `sensitive`. Made by `Seals.opening`, which knows their keys."""

    def __init__(self, keys: DataKeys) -> None:
        self._keys = keys

    def value(self, row: asyncpg.Record) -> bytes:
        """The canonical bytes of `value`; empty for NULL.

        Raises:
            KeyLostError: it does not open here.
        """
        text = row["value"]
        if not may_be_sealed(row, text):
            return stored_value(text)
        return self.opened(decode(text), version_place(row["id"], row["version"], "value"))

    def rollout(self, row: asyncpg.Record) -> bytes:
        """The canonical bytes of `rollout`, with its candidate opened; empty for NULL.

        Raises:
            KeyLostError: it does not open here.
        """
        text = row["rollout"]
        if not may_be_sealed(row, text):
            return stored_value(text)
        document = decode(text)
        if is_sealed(candidate := document.get("candidate")):
            place = version_place(row["id"], row["version"], "candidate")
            document["candidate"] = decode(self.opened(candidate, place))
        return canonical(document)

    def opened(self, document: Json, place: bytes) -> bytes:
        """The canonical bytes of what may be sealed."""
        if not is_sealed(document):
            return canonical(document)
        return open_sealed(self._keys.get(key_of(document)), document, place)


def may_be_sealed(row: asyncpg.Record, text: str | None) -> bool:
    """Whether it is worth a look. What is not sensitive is what somebody wrote, whatever its form."""
    return text is not None and row["sensitive"] and SIGN in text


def keys_in(rows: Iterable[asyncpg.Record], *columns: str) -> set[str]:
    """The ids of the keys under which something in these rows is sealed."""
    return {
        key
        for row in rows
        for column in columns
        if may_be_sealed(row, text := row[column])
        for key in keys_of(decode(text))
    }


def keys_of(document: Json) -> set[str]:
    """The ids of the keys under which this, or its candidate, is sealed."""
    if not isinstance(document, dict):
        return set()
    return {key_of(each) for each in (document, document.get("candidate")) if is_sealed(each)}
