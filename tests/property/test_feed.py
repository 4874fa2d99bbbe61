"""Whatever order changes come in, each reader hears each of its changes once and in order, or is told that it missed some."""

from hypothesis import given
from hypothesis import strategies as st

from control_plane.metrics import Metrics
from control_plane.services.feed import Feed
from shared.domain.scope import Lineage, Scope
from shared.wire.messages import ChangeMessage, Heartbeat, ScopeState, decode_message
from tests.fakes.clock import ManualClock
from tests.fakes.store import FakeStore

LINEAGE = Lineage.of("billing", "prod")
SCOPES = [*LINEAGE, Scope("shop"), Scope("billing", "test")]

steps = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), st.lists(st.sampled_from(SCOPES), min_size=1, max_size=3, unique=True)),
        st.tuples(st.just("offer"), st.integers(0, 5)),
        st.tuples(st.just("hint"), st.integers(0, 40)),
        st.tuples(st.just("catch up"), st.none()),
        st.tuples(st.just("prune"), st.integers(0, 3)),
    ),
    max_size=40,
)


class Reader:
    """Applies what it hears as an agent would; a gap is only allowed where a heartbeat tells of it."""

    def __init__(self) -> None:
        self.states = {scope: ScopeState() for scope in LINEAGE}

    def deliver(self, chunk: bytes) -> None:
        message = decode_message(chunk.split(b"data: ")[1].split(b"\n")[0])
        if isinstance(message, Heartbeat):
            told = dict(zip(LINEAGE, (message.global_, message.app, message.environment), strict=True))
            assert all(told[scope].revision >= self.states[scope].revision for scope in LINEAGE)
            self.states = told
        else:
            self._apply(message)

    def _apply(self, message: ChangeMessage) -> None:
        assert message.scope in LINEAGE
        assert message.previous == self.states[message.scope].revision
        self.states[message.scope] = ScopeState(message.revision, message.digest)


@given(steps)
async def test_a_reader_is_never_left_behind_unknowingly(taken: list[tuple[str, object]]) -> None:
    store, reader = FakeStore(), Reader()
    feed = Feed(store, Metrics(), ManualClock())
    own: list[list[ChangeMessage]] = []
    with feed.subscribe(LINEAGE, reader.deliver):
        for action, argument in taken:
            before = feed.revision
            match action, argument:
                case "commit", list(scopes):
                    own.append(store.write(*scopes))
                case "offer", int(which) if own:
                    feed.offer(own.pop(which % len(own)))
                case "hint", int(revision):
                    await feed.catch_up(revision)
                case "catch up", None:
                    await feed.catch_up()
                    assert feed.revision == (await store.heads()).revision
                case "prune", int(keep):
                    store.forget((await store.heads()).revision - keep)
                case _:
                    pass
            assert feed.revision >= before
            assert reader.states == {scope: feed.state(scope) for scope in LINEAGE}
        await feed.catch_up()
    heads = await store.heads()
    assert (feed.revision, feed.states()) == (heads.revision, heads.scopes)
