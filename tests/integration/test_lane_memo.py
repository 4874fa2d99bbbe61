"""What the fast lane remembers is bounded, and nothing that it answers again goes uncounted."""

from agent.local_api.answers import Answers
from agent.local_api.freshness import Freshness
from agent.local_api.lane.memo import MAX_BYTES, MAX_ONCE, Memo
from agent.local_api.reply import Reply, Tally
from agent.local_api.traffic import Requests
from agent.local_api.view import AgentView
from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from agent.sync.reporter import Identity
from agent.sync.status import Status
from shared.domain.context import EvaluationContext
from tests.fakes.clock import ManualClock


async def sync() -> bool:
    return True


def memo() -> tuple[Memo, Requests]:
    store, status, clock = SnapshotStore(Snapshot.empty("billing", "prod")), Status(), ManualClock()
    view = AgentView(store=store, status=status, clock=clock, identity=Identity("one", "1", {}), sync=sync)
    freshness, requests = Freshness(store, status, clock, view.policy), Requests()
    answers = Answers(store, freshness, clock, EvaluationContext(), view.usage.reasons)
    return Memo(view, answers, requests), requests


def keep(found: Memo, request: bytes, reply: Reply) -> None:
    """As for a request that has come twice."""
    for _ in range(2):
        found.keep(request, found.wire(reply, "/v1/configs", bodiless=False))


def test_large_answers_to_many_are_not_all_remembered() -> None:
    found, requests = memo()
    found.holds()
    for number in range(200):
        reply = Reply(200, (), b"x" * 64_000, Tally())
        keep(found, b"%d" % number, reply)
    held = sum(len(each.first) + len(each.rest) for each in found.entries.values())
    assert MAX_BYTES // 2 < held <= MAX_BYTES
    for each in found.entries.values():
        each.again += 1
    again = len(found.entries)
    found.forget()
    assert requests.counts["/v1/configs", 200] == again
    assert not found.entries
    keep(found, b"again", Reply(200, (), b"x" * 64_000, Tally()))
    assert list(found.entries) == [b"again"]


def test_what_is_asked_once_is_not_remembered_and_what_is_asked_again_is_at_once_after_all_was_forgotten() -> None:
    found, _ = memo()
    found.holds()
    reply = Reply(200, (), b"true", Tally("plain", "STATIC"))
    for number in range(2 * MAX_ONCE):
        found.keep(b"%d" % number, found.wire(reply, "/v1/values/{key}", bodiless=False))
    assert not found.entries
    keep(found, b"again", reply)
    found.forget()
    found.keep(b"again", found.wire(reply, "/v1/values/{key}", bodiless=False))
    assert list(found.entries) == [b"again"]


def test_an_answer_too_large_to_be_remembered_is_given_all_the_same() -> None:
    found, _ = memo()
    found.holds()
    kept = found.wire(Reply(200, (), b"x" * (MAX_BYTES + 1), Tally()), "/v1/configs", bodiless=False)
    found.keep(b"request", kept)
    assert len(kept.rest) == MAX_BYTES + 1
    assert not found.entries
