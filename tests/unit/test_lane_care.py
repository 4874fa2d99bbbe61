"""Connections of the fast lane that nobody uses are closed; those that somebody does are not."""

from dataclasses import dataclass

from agent.local_api.answers import Answers
from agent.local_api.freshness import Freshness
from agent.local_api.guard import Guard
from agent.local_api.lane.lane import KEEP_ALIVE, PATIENCE, Lane
from agent.local_api.lane.memo import Memo
from agent.local_api.lane.routes import Routes
from agent.local_api.traffic import Requests
from agent.local_api.view import AgentView
from agent.snapshot.model import Snapshot
from agent.snapshot.store import SnapshotStore
from agent.sync.reporter import Identity
from agent.sync.status import Status
from shared.domain.context import EvaluationContext
from shared.runtime.connection import FIRST_REQUEST_TIMEOUT
from shared.runtime.listen import Listen
from tests.fakes.clock import ManualClock


@dataclass(eq=False)
class Client:
    used: bool = False
    heard: float = 0.0
    new: bool = True
    waits: bool = False
    closed: bool = False

    def close(self) -> None:
        self.closed = True


async def sync() -> bool:
    return True


def lane(*clients: Client) -> Lane:
    store, status, clock = SnapshotStore(Snapshot.empty("billing", "prod")), Status(), ManualClock()
    view = AgentView(store=store, status=status, clock=clock, identity=Identity("one", "1", {}), sync=sync)
    answers = Answers(
        store, Freshness(store, status, clock, view.policy), clock, EvaluationContext(), view.usage.reasons
    )
    made = Lane(Memo(view, answers, Requests()), Routes([]), Guard(Listen("127.0.0.1", 0)))
    for each in clients:
        made.joined(each)
    return made


def test_who_comes_and_asks_nothing_is_sent_away_and_who_asked_may_stay() -> None:
    silent, asked = Client(), Client(used=True)
    watched = lane(silent, asked)
    watched.look(FIRST_REQUEST_TIMEOUT)
    watched.look(FIRST_REQUEST_TIMEOUT + 1)
    assert (silent.closed, asked.closed) == (True, False)
    watched.look(FIRST_REQUEST_TIMEOUT + KEEP_ALIVE)
    assert not asked.closed
    watched.look(FIRST_REQUEST_TIMEOUT + KEEP_ALIVE + 1)
    assert asked.closed


def test_half_a_request_and_an_answer_that_is_not_taken_are_not_waited_for_as_long() -> None:
    asked = Client(used=True)
    watched = lane(asked)
    watched.look(1.0)
    asked.waits = True
    watched.look(PATIENCE + 1)
    assert not asked.closed
    watched.look(PATIENCE + 2)
    assert asked.closed
