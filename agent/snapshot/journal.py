r"""The form of the files that hold the last known good: a base with a checksum, a journal of checksummed records.

```text
base     {"format":2,"app_id":…,"environment":…,"revisions":[…],"digests":[…],"length":…,"sha256":…}\n  document
journal  {"format":2,"app_id":…,"environment":…}\n  (  length sha256 global,app,environment\n  document \n  )*
```

A record says on top of which revisions its document was applied, so that journals can be chained without doubt.
Sensitive values are sealed (`agent.snapshot.sealing`). In files of format 1 they were not: those are read, and replaced.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from agent.snapshot.sealing import Sealer
from shared.domain.codec import Json, MalformedJsonError, decode, encode
from shared.domain.entry import digest_text, parse_digest
from shared.domain.scope import Revisions
from shared.wire.snapshot import MalformedSnapshotError, SnapshotDocument

FORMAT = 2
_BEFORE = 1
"""The format before: sensitive values stood in it in clear."""


class DamagedError(Exception):
    """A file is not as it was written: torn, cut or altered."""


class ForeignError(Exception):
    """A file is whole, and of another app/environment or of another format: not ours to touch."""


@dataclass(frozen=True, slots=True)
class Record:
    """One applied document, and the revisions that it was applied to."""

    since: Revisions
    document: SnapshotDocument


def encode_base(document: SnapshotDocument, sealer: Sealer) -> bytes:
    """The bytes of a base file.

    Raises:
        OSError: it holds sensitive values, and there is no key to seal them with.
    """
    body = sealer.encode(document)
    header = _owner(document.app_id, document.environment) | {
        "revisions": list(document.revisions),
        "digests": [digest_text(each) for each in document.digests],
        "length": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
    }
    return encode(header) + b"\n" + body


def read_base_header(line: bytes, app_id: str, environment: str) -> tuple[Revisions, tuple[int, int, int]]:
    """Which revisions and digests a base file is of, by its first line alone.

    Raises:
        DamagedError: it is not whole.
        ForeignError: it is not ours.
    """
    header = _header(line, app_id, environment)
    try:
        global_, app, own = (parse_digest(each) for each in header["digests"])
        return Revisions(*header["revisions"]), (global_, app, own)
    except (KeyError, TypeError, ValueError) as error:
        msg = "its header is not whole"
        raise DamagedError(msg) from error


def decode_base(content: bytes, app_id: str, environment: str, sealer: Sealer) -> SnapshotDocument:
    """Read a base file.

    Raises:
        DamagedError: it is not whole.
        ForeignError: it is not ours.
        SealedError: it was sealed with another key than we have.
    """
    head, _, body = content.partition(b"\n")
    header = _header(head, app_id, environment)
    if (header.get("length"), header.get("sha256")) != (len(body), hashlib.sha256(body).hexdigest()):
        msg = "its checksum is wrong"
        raise DamagedError(msg)
    document = _document(body, sealer)
    told = (list(document.revisions), [digest_text(each) for each in document.digests])
    if (header.get("revisions"), header.get("digests")) != told or not document.full:
        msg = "its header belongs to another body"
        raise DamagedError(msg)
    return document


def journal_header(app_id: str, environment: str) -> bytes:
    """The first line of a journal."""
    return encode(_owner(app_id, environment)) + b"\n"


def encode_record(since: Revisions, document: SnapshotDocument, sealer: Sealer) -> bytes:
    """The bytes of one record.

    Raises:
        OSError: as for a base.
    """
    body = sealer.encode(document)
    place = ",".join(str(each) for each in since)
    return f"{len(body)} {_record_sum(place.encode(), body)} {place}\n".encode() + body + b"\n"


def decode_records(content: bytes, app_id: str, environment: str, sealer: Sealer) -> Iterator[Record]:
    """Read a journal from its beginning.

    Raises:
        DamagedError: at the first record that is not whole; those before it were good.
        ForeignError: it is not ours.
        SealedError: at the first record that was sealed with another key than we have.
    """
    head, _, rest = content.partition(b"\n")
    _header(head, app_id, environment)
    at = len(content) - len(rest)
    while at < len(content):
        at, record = _record(content, at, sealer)
        yield record


def is_ours(first_line: bytes, app_id: str, environment: str) -> bool:
    """Whether a file, whole or not, says in its first line that it is ours."""
    try:
        _header(first_line, app_id, environment)
    except (DamagedError, ForeignError):
        return False
    return True


def _record(content: bytes, at: int, sealer: Sealer) -> tuple[int, Record]:
    line_end = content.find(b"\n", at)
    words = content[at : max(line_end, at)].split(b" ")
    if len(words) != 3 or not words[0].isdigit() or len(words[0]) > 12:  # noqa: PLR2004 - length, checksum, place
        msg = "a record's head is cut or altered"
        raise DamagedError(msg)
    end = line_end + 1 + int(words[0])
    body = content[line_end + 1 : end]
    if content[end : end + 1] != b"\n" or words[1].decode(errors="replace") != _record_sum(words[2], body):
        msg = "a record is cut or altered"
        raise DamagedError(msg)
    return end + 1, Record(Revisions(*(int(each) for each in words[2].split(b","))), _document(body, sealer))


def is_unsealed(first_line: bytes, app_id: str, environment: str) -> bool:
    """Whether a file is ours and from before there were seals."""
    try:
        return bool(_header(first_line, app_id, environment)["format"] == _BEFORE)
    except (DamagedError, ForeignError):
        return False


def _record_sum(place: bytes, body: bytes) -> str:
    return hashlib.sha256(place + b"\n" + body).hexdigest()


def _owner(app_id: str, environment: str) -> dict[str, Json]:
    return {"format": FORMAT, "app_id": app_id, "environment": environment}


def _header(line: bytes, app_id: str, environment: str) -> dict[str, Json]:
    try:
        header = decode(line)
    except MalformedJsonError as error:
        msg = "its header cannot be read"
        raise DamagedError(msg) from error
    if not isinstance(header, dict):
        msg = "its header is none"
        raise DamagedError(msg)
    for name, ours in _owner(app_id, environment).items():
        found = header.get(name)
        if found != ours and not (name == "format" and type(found) is int and found == _BEFORE):
            msg = f"its {name} is {found!r}, ours is {ours!r}"
            raise ForeignError(msg)
    return header


def _document(body: bytes, sealer: Sealer) -> SnapshotDocument:
    try:
        return sealer.decode(body)
    except MalformedSnapshotError as error:
        raise DamagedError(str(error)) from error
