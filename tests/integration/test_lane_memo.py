"""What the fast lane remembers is bounded, and nothing that it answers again goes uncounted."""

from agent.local_api.answers import Answers
from agent.local_api.freshness import Freshness
from agent.local_api.lane.memo import MAX_BYTES, Memo
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


def test_large_answers_to_many_are_not_all_remembered() -> None:
    found, requests = memo()
    found.holds()
    for number in range(200):
        reply = Reply(200, (), b"x" * 64_000, Tally())
        found.keep(b"%d" % number, found.wire(reply, "/v1/configs", bodiless=False))
    held = sum(len(each.first) + len(each.rest) for each in found.entries.values())
    assert MAX_BYTES // 2 < held <= MAX_BYTES
    for each in found.entries.values():
        each.again += 1
    again = len(found.entries)
    found.forget()
    assert requests.counts["/v1/configs", 200] == again
    assert not found.entries
    found.keep(b"again", found.wire(Reply(200, (), b"x" * 64_000, Tally()), "/v1/configs", bodiless=False))
    assert list(found.entries) == [b"again"]


def test_an_answer_too_large_to_be_remembered_is_given_all_the_same() -> None:
    found, _ = memo()
    found.holds()
    kept = found.wire(Reply(200, (), b"x" * (MAX_BYTES + 1), Tally()), "/v1/configs", bodiless=False)
    found.keep(b"request", kept)
    assert len(kept.rest) == MAX_BYTES + 1
    assert not found.entries
