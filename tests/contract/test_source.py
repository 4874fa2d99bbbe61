"""Sources keep the same promises, in memory and over HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.ports import Source, UpstreamRefusedError, UpstreamUnavailableError
from agent.upstream import http
from agent.upstream.endpoints import Endpoints, open_session
from agent.upstream.http import HttpSource
from agent.upstream.shown import Shown
from shared.domain.scope import Revisions
from shared.wire.report import Report
from shared.wire.snapshot import MalformedSnapshotError
from tests.fakes.control_plane import APP, ENVIRONMENT, LINEAGE, ControlPlane, Model, Write
from tests.fakes.upstream import FakeSource

REPORT = Report("agent-1", APP, ENVIRONMENT, "0.1.0", Revisions(1, 2, 3), "live", "sse")


@pytest.fixture
async def plane() -> AsyncIterator[ControlPlane]:
    async with ControlPlane().running() as plane:
        yield plane


@pytest.fixture
async def over_http(plane: ControlPlane) -> AsyncIterator[HttpSource]:
    async with open_session() as session:
        yield HttpSource(Endpoints([plane.url], Shown("secret"), session), APP, ENVIRONMENT)


@pytest.fixture(params=["fake", "http"])
def source(request: pytest.FixtureRequest, plane: ControlPlane, over_http: HttpSource) -> Source:
    return FakeSource(plane.model) if request.param == "fake" else over_http


def fill(model: Model) -> None:
    for number, scope in enumerate(LINEAGE):
        model.commit(Write(scope, f"key{number}", b'"' + b"x" * 1000 + b'"'))


async def test_the_whole_is_fetched_and_then_the_delta(plane: ControlPlane, source: Source) -> None:
    fill(plane.model)
    whole = await source.fetch(None)
    assert whole == plane.model.document()
    plane.model.commit(Write(LINEAGE.app, "key1", None))
    delta = await source.fetch(whole.revisions, at_least=4)
    assert (delta.full, [(each.key, each.entry) for each in delta.items]) == (False, [("key1", None)])


async def test_a_report_is_answered_with_when_to_report_again_and_the_time(source: Source) -> None:
    answer = await source.report(REPORT)
    assert (answer.next_report_in > 0, answer.now_ms) == (True, 1_800_000_000_000)


async def test_a_token_that_is_not_accepted_is_a_refusal(plane: ControlPlane) -> None:
    async with open_session() as session:
        source = HttpSource(Endpoints([plane.url], Shown("wrong"), session), APP, ENVIRONMENT)
        with pytest.raises(UpstreamRefusedError, match="401"):
            await source.fetch(None)
        with pytest.raises(UpstreamRefusedError, match="401"):
            await source.report(REPORT)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (403, UpstreamRefusedError),
        (404, UpstreamRefusedError),
        (307, UpstreamRefusedError),
        (429, UpstreamUnavailableError),
        (500, UpstreamUnavailableError),
        (503, UpstreamUnavailableError),
    ],
)
async def test_each_status_is_a_refusal_or_not_now(
    plane: ControlPlane, over_http: HttpSource, status: int, expected: type[Exception]
) -> None:
    plane.status, plane.retry_after = status, 3
    with pytest.raises(expected) as raised:
        await over_http.fetch(None)
    assert getattr(raised.value, "retry_after", 3.0) == 3.0


async def test_nobody_there_is_unavailable_and_the_url_is_not_told() -> None:
    async with open_session() as session:
        source = HttpSource(Endpoints(["http://user:hunter2@127.0.0.1:9"], Shown("secret"), session), APP, ENVIRONMENT)
        with pytest.raises(UpstreamUnavailableError) as raised:
            await source.fetch(None)
    assert "hunter2" not in str(raised.value)


async def test_the_next_replica_is_asked_when_one_is_away(plane: ControlPlane) -> None:
    async with open_session() as session:
        for _ in range(4):
            source = HttpSource(
                Endpoints(["http://127.0.0.1:9", f"{plane.url}/"], Shown("secret"), session), APP, ENVIRONMENT
            )
            assert (await source.fetch(None)).full


async def test_an_answer_that_is_too_large_or_nonsense_is_malformed(
    plane: ControlPlane, over_http: HttpSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    plane.spoil = b'{"schema":2}'
    with pytest.raises(MalformedSnapshotError, match="schema 2"):
        await over_http.fetch(None)
    plane.spoil = None
    fill(plane.model)
    monkeypatch.setattr(http, "MAX_SNAPSHOT", 2000)
    with pytest.raises(MalformedSnapshotError, match="2000"):
        await over_http.fetch(None)


async def test_a_netrc_does_not_get_in_the_way(
    over_http: HttpSource, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert (await over_http.fetch(None)).full


async def test_the_proxy_of_the_environment_is_used_but_never_to_this_machine(
    plane: ControlPlane, over_http: HttpSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", plane.url)
    async with open_session() as session:
        source = HttpSource(Endpoints(["http://control-plane.test"], Shown("secret"), session), APP, ENVIRONMENT)
        assert (await source.fetch(None)).full
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert (await over_http.fetch(None)).full
