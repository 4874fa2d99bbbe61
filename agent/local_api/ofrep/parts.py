"""What the protocol stands on, put together: made for the first client of the protocol, and followed from then on."""

from collections.abc import Iterator
from contextlib import contextmanager

from agent.local_api.answers import Answers
from agent.local_api.freshness import Freshness
from agent.local_api.guard import Guard
from agent.local_api.ofrep.bulk import Bulk
from agent.local_api.ofrep.kept import KeptAnswers
from agent.local_api.ofrep.position import Position
from agent.local_api.ofrep.single import Single
from agent.local_api.ofrep.streams import Streams
from agent.local_api.ofrep.tickets import Tickets
from agent.local_api.ofrep.together import Together
from agent.local_api.view import AgentView


class Parts:
    """The faces `single` and `bulk`, and the event streams."""

    def __init__(self, view: AgentView, answers: Answers, freshness: Freshness, guard: Guard, local_token: str) -> None:
        self._store = view.store
        self._kept = KeptAnswers(view.store)
        self.streams = Streams(Position(view.store, view.clock), Tickets(local_token, view.clock), guard)
        self.single = Single(view, answers, self._kept, freshness, guard)
        together = Together(view.store, answers, self._kept, freshness)
        self.bulk = Bulk(view, answers, together, guard, self.streams)

    @contextmanager
    def following(self) -> Iterator[None]:
        """Hear of every swap, and of what the clock does, until the block ends."""
        store = self._store
        with (
            store.subscribe(self._kept.swapped),
            store.subscribe(self.streams.swapped),
            store.subscribe_time(self.streams.time_passed),
        ):
            yield
