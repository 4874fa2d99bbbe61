"""Put what references stand for into the entries that have them: what a reader gets, and never what is kept."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from shared.domain.codec import Json, MalformedJsonError, canonical, decode
from shared.domain.document import DocumentError
from shared.domain.entry import Entry, Kind
from shared.domain.resolution import Effective
from shared.domain.secret_reference import SecretReference, mentions, parse_reference, references, substituted
from shared.runtime.keepers.asking import SecretError

Look = Callable[[SecretReference], Json]
"""What a source holds. Raises `SecretError` where that is not known."""


def referring(effective: Effective) -> bool:
    """Whether an entry, or one that shows through it, may have a reference."""
    entry = effective.entry
    if mentions(entry.value) or (entry.rollout and mentions(entry.rollout)):
        return entry.kind != Kind.SEGMENT
    return effective.below is not None and referring(effective.below)


def references_of(effective: Effective | None) -> Iterator[SecretReference]:
    """All references of an entry, and of those that show through it, that can be understood."""
    while effective is not None:
        for document in (effective.entry.value, effective.entry.rollout):
            if document and mentions(document):
                for _, each in references(decode(document)):
                    try:
                        yield parse_reference(each)
                    except DocumentError:
                        continue
        effective = effective.below


def resolved(effective: Effective, look: Look) -> Effective:
    """The entry with what its references stand for; it is sensitive from here on.

    Raises:
        SecretError: one of them cannot be resolved.
    """
    entry, below = effective.entry, effective.below
    value, rollout = _resolved(entry.value, look), _resolved(entry.rollout, look)
    return effective._replace(
        entry=replace(entry, value=value, rollout=rollout, sensitive=True),
        below=None if below is None else resolved(below, look),
    )


def withheld(effective: Effective) -> Effective:
    """The entry without a value, where one of its references cannot be resolved."""
    entry = effective.entry
    return effective._replace(entry=Entry(entry.key, entry.kind, b"", entry.version, entry.revision, sensitive=True))


def field_of(reference: SecretReference, document: Json) -> Json:
    """The field that a reference means of what its source holds; without one, all of it.

    Raises:
        SecretError: there is no such field.
    """
    if not reference.field:
        return document
    if isinstance(document, str):
        document = _object(document)
    if not isinstance(document, Mapping) or reference.field not in document:
        why = f"it has no field {reference.field!r}"
        raise SecretError(why)
    return document[reference.field]


def _resolved(document: bytes, look: Look) -> bytes:
    if not document or not mentions(document):
        return document

    def found(reference: Json) -> Json:
        try:
            parsed = parse_reference(reference)
        except DocumentError as error:
            why = f"the reference cannot be understood: {error}"
            raise SecretError(why, denied=True) from error
        return field_of(parsed, look(parsed))

    try:
        return canonical(substituted(decode(document), found))
    except MalformedJsonError as error:
        why = "what it holds is no value that a config can have"
        raise SecretError(why) from error


def _object(text: str) -> Json:
    try:
        return decode(text)
    except MalformedJsonError as error:
        why = "it is no JSON object, so it has no fields"
        raise SecretError(why) from error
