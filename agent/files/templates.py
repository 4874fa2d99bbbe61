"""Templates of file sets, rendered by a process of their own within limits; the last sources that worked are kept."""

import os
import subprocess
import sys
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import TypeAlias

from agent.files.unrenderable import UnrenderableError
from shared.domain.codec import Json, MalformedJsonError, decode, encode

SECONDS = 10.0
"""That all templates of a set may take together."""
GRACE = 2.0
"""Seconds after which we end the process ourselves, should the kernel not have done so."""
MAX_ANSWER = 64 * 1024 * 1024
"""Bytes that the process may answer with."""
_CHILD = (sys.executable, "-P", "-m", "agent.files.template_child")
_PASSED_ON = ("PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH")
_Which: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Job:
    """One template to render, for a file of a set. `secret`: nothing of the values may be in what is told of an error."""

    file_set: str
    file: str
    template: Path
    values: Mapping[str, Json]
    agent: Mapping[str, Json]
    secret: bool

    @property
    def which(self) -> "_Which":
        """By what it is known again."""
        return self.file_set, self.file


@dataclass(slots=True)
class _Known:
    """What was found when a template last worked."""

    sources: Mapping[str, str]
    stamps: Mapping[str, list[int]]
    asked: bytes
    text: str


@dataclass(slots=True)
class _Answers:
    """What came back for each job, as far as it came, and why no more did."""

    lines: list[Mapping[str, Json]] = field(default_factory=list)
    ended: str = ""

    def of(self, index: int) -> Mapping[str, Json]:
        """The answer for a job; the process ended at the first that has none, which is blamed."""
        if index < len(self.lines):
            return self.lines[index]
        why = self.ended if index == len(self.lines) else "was not reached: a template before it did not end"
        return {"error": why, "template": True, "stamps": {}}


class Templates:
    """Renders, remembers. One template that is broken does not stop its file while the sources that worked before still do.

    `broken` says of such templates why; `sources` are all files that were read for any, to be watched. Safe for threads:
    sets do not wait for each other.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._locks: dict[str, threading.Lock] = {}
        self._known: dict[_Which, _Known] = {}
        self._refused: dict[_Which, Mapping[str, list[int]]] = {}
        self._read: dict[_Which, frozenset[Path]] = {}
        self._broken: dict[_Which, tuple[Path, str]] = {}

    @property
    def sources(self) -> frozenset[Path]:
        """All files that templates were read from."""
        return frozenset().union(*tuple(self._read.values()))

    def sources_of(self, file_set: str) -> frozenset[Path]:
        """Those of one set."""
        return frozenset().union(*(each for which, each in tuple(self._read.items()) if which[0] == file_set))

    @property
    def broken(self) -> Mapping[Path, str]:
        """The templates of which earlier sources are used, and why."""
        return dict(tuple(self._broken.values()))

    def broken_of(self, file_set: str) -> Mapping[Path, str]:
        """Those of one set."""
        return dict(each for which, each in tuple(self._broken.items()) if which[0] == file_set)

    def keep_only(self, file_sets: Collection[str]) -> None:
        """The other sets are no more."""
        for table in (self._known, self._refused, self._read, self._broken):
            for which in tuple(table):
                if which[0] not in file_sets:
                    table.pop(which, None)

    def render(self, jobs: Sequence[Job]) -> list[str]:
        """The text of each, all of one set; nothing is run for those that nothing changed for.

        Raises:
            UnrenderableError: the first that cannot be rendered, and why.
        """
        with self._locks.setdefault(jobs[0].file_set, threading.Lock()):
            asked = [(job, _digest(job)) for job in jobs]
            due = [(job, digest) for job, digest in asked if not self._is_known(job, digest)]
            answers = self._run([job for job, _ in due], None) if due else _Answers()
            errors = [self._taken(job, digest, answers.of(index)) for index, (job, digest) in enumerate(due)]
            for error in filter(None, errors):
                raise error
            return [self._known[job.which].text for job in jobs]

    def _is_known(self, job: Job, asked: bytes) -> bool:
        known = self._known.get(job.which)
        if known is None or known.asked != asked:
            return False
        stamps = self._refused.get(job.which, known.stamps)
        return all(_stamp(path) == stamp for path, stamp in stamps.items())

    def _taken(self, job: Job, asked: bytes, answer: Mapping[str, Json]) -> UnrenderableError | None:
        """Keep what came for a job, or fall back to the sources that worked."""
        stamps = {str(job.template): _stamp(str(job.template)), **answer["stamps"]}
        self._read[job.which] = frozenset(map(Path, stamps))
        if "text" in answer:
            self._known[job.which] = _Known(answer["sources"], stamps, asked, answer["text"])
            self._refused.pop(job.which, None)
            self._broken.pop(job.which, None)
            return None
        why = str(answer["error"])
        if self._fell_back(job, asked):
            self._refused[job.which] = stamps
            self._broken[job.which] = job.template, why
            return None
        return UnrenderableError(why, file=job.file, template=bool(answer["template"]))

    def _fell_back(self, job: Job, asked: bytes) -> bool:
        """Whether the template was changed, and what it was before still renders."""
        known = self._known.get(job.which)
        if known is None or all(_stamp(path) == stamp for path, stamp in known.stamps.items()):
            return False
        again = self._run([job], known.sources).of(0)
        if "text" not in again:
            return False
        self._known[job.which] = _Known(known.sources, known.stamps, asked, again["text"])
        return True

    def _run(self, jobs: Sequence[Job], kept: Mapping[str, str] | None) -> _Answers:
        documents = [_document(job, kept) for job in jobs]
        request = encode({"seconds": self._seconds, "jobs": documents})
        environ = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        # A fixed seed: what Python calls unordered stands in the same order each time.
        environ |= {"PYTHONHASHSEED": "0", "PYTHONUTF8": "1"}
        with subprocess.Popen(  # noqa: S603 - ourselves
            _CHILD,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environ,
            start_new_session=True,
        ) as process:
            output = _exchanged(process, request, self._seconds + GRACE)
        return _Answers(list(_lines(output)), _ended(process.returncode, self._seconds))


def _exchanged(process: "subprocess.Popen[bytes]", request: bytes, seconds: float) -> bytes:
    """Say, then hear, within limits of both time and size."""
    killer = threading.Timer(seconds, process.kill)
    killer.daemon = True
    speaker = threading.Thread(target=_say, args=(process, request), daemon=True)
    killer.start()
    speaker.start()
    try:
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        return process.stdout.read(MAX_ANSWER + 1)[:MAX_ANSWER]
    finally:
        killer.cancel()
        process.kill()
        speaker.join()


def _say(process: "subprocess.Popen[bytes]", request: bytes) -> None:
    assert process.stdin is not None  # noqa: S101 - a pipe was asked for
    try:
        process.stdin.write(request)
        process.stdin.close()
    except OSError:  # it is gone, which its end says better
        return


def _lines(output: bytes) -> Iterator[Mapping[str, Json]]:
    """The whole answers."""
    for line in output.split(b"\n")[:-1]:
        try:
            yield decode(line)
        except MalformedJsonError:
            return


def _ended(code: int, seconds: float) -> str:
    return f"does not end within {seconds:g} s, or takes too much memory (exit {code}); look for endless loops"


def _document(job: Job, kept: Mapping[str, str] | None) -> dict[str, Json]:
    return {
        "directory": str(job.template.parent),
        "name": job.template.name,
        "values": job.values,
        "agent": job.agent,
        "secret": job.secret,
        "kept": kept,
    }


def _digest(job: Job) -> bytes:
    return blake2b(encode(_document(job, None)), digest_size=16).digest()


def _stamp(path: str) -> list[int]:
    try:
        found = os.stat(path)  # noqa: PTH116 - a text, as it came
    except OSError:
        return []
    return [found.st_mtime_ns, found.st_size, found.st_ino]


__all__ = ["Job", "Templates"]
