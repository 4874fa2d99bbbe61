"""Searching, unread configs, and applications at their end, from the command line."""

from collections.abc import AsyncIterator

import pytest

from shared.domain.codec import decode
from shared.domain.scope import Revisions
from shared.wire.clock_skew import ClockSkew
from shared.wire.remark import Remark
from shared.wire.report import ReadCounts, Report
from shared.wire.unsupported import Unsupported
from tests.rig.api import serving_api
from tests.rig.cli import Cli


@pytest.fixture
async def trimtab(migrated_url: str) -> AsyncIterator[Cli]:
    async with serving_api(migrated_url) as api:
        await api.register("shop", "prod")
        yield Cli(api)


async def test_configs_are_found_by_what_stands_in_them(trimtab: Cli) -> None:
    await trimtab("put", "db.pool", "20", "--app", "shop", "--env", "prod")
    await trimtab("put", "db.host", "pool.example")
    assert (await trimtab("search", "pool")).lines == [
        '-\tdb.host\tvalue\t"pool.example"',
        "shop/prod\tdb.pool\tkey\tdb.pool",
    ]
    assert len((await trimtab("search", "db", "POOL", "--in", "key")).lines) == 1
    assert len((await trimtab("search", "db", "--limit", "1")).lines) == 1
    assert (await trimtab("search", "nothing", "--json")).document == []
    assert "is none of" in (await trimtab("search", "a", "--in", "secret", code=1)).errors


async def test_what_nobody_reads_is_listed_with_what_stands_against_it(trimtab: Cli) -> None:
    await trimtab("put", "read", "1")
    await trimtab("put", "unread", "1")
    asked = ("unused", "--app", "shop", "--env", "prod")
    first = await trimtab(*asked)
    assert len(first.lines) == 2
    assert "no reads are counted yet" in first.errors
    api = trimtab.api
    token = await api.register("shop", "prod")
    for instance, reads in (("i1", ReadCounts({"read": 1}, bulk=3)), ("old", None)):
        report = decode(Report(instance, "shop", "prod", "1", Revisions(), "live", "sse", reads=reads).encode())
        await api.post("/agents/report", report, token=token)
    then = await trimtab(*asked)
    assert then.lines == ["shop/prod\tunread\tglobal\t0\t-"]
    for remark in ("counted since 20", "3 reads of many", "1 live agents do not count reads: old"):
        assert remark in then.errors


async def test_of_agents_it_is_remarked_what_somebody_should_look_at(trimtab: Cli) -> None:
    token = await trimtab.api.register("shop", "prod")
    unsupported = (Unsupported("a", 1, "newer"), Unsupported("b", 1, "newer"))
    for instance, skew, not_understood in (
        ("fast", ClockSkew(35.24, 0.1), ()),
        ("fine", ClockSkew(-0.2, 0.1), ()),
        ("old", ClockSkew(-7.0, 0.1), unsupported),
    ):
        remarks = (Remark("file", "web", "its check said no", 0),) if instance == "old" else ()
        report = Report(
            instance,
            "shop",
            "prod",
            "1",
            Revisions(),
            "live",
            "sse",
            clock_skew=skew,
            unsupported=not_understood,
            remarks=remarks,
        )
        await trimtab.api.post("/agents/report", decode(report.encode()), token=token)
    assert [each.split("\t")[1:] for each in (await trimtab("agents")).lines] == [
        ["fast", "live", "sse", "0", "clock 35.2 s ahead"],
        ["fine", "live", "sse", "0", ""],
        [
            "old",
            "live",
            "sse",
            "0",
            "does not understand a and 1 more; file web: its check said no; clock 7.0 s behind",
        ],
    ]


async def test_an_application_is_archived_unarchived_and_deleted_by_its_name(trimtab: Cli) -> None:
    await trimtab("put", "a", "1", "--app", "shop", "--env", "prod")
    assert (await trimtab("apps", "describe", "shop", "sells things")).output == "shop: sells things\n"
    assert (await trimtab("apps", "list")).lines == ["shop\tprod\tsells things"]
    assert "--confirm shop" in (await trimtab("apps", "archive", "shop", code=2)).errors
    assert "'shop'" in (await trimtab("apps", "archive", "shop", "--confirm", "shoe", code=1)).errors
    await trimtab("apps", "archive", "shop", "--confirm", "shop")
    assert (await trimtab("apps", "list")).lines == []
    assert (await trimtab("apps", "list", "--archived")).lines == ["shop (archived)\tprod\tsells things"]
    refused = await trimtab("put", "a", "2", "--app", "shop", "--env", "prod", code=1)
    assert "/api/v1/apps/shop/unarchive" in refused.errors
    assert (await trimtab("apps", "unarchive", "shop")).output == "shop is no longer archived\n"
    assert "archive first" in (await trimtab("apps", "delete", "shop", "--confirm", "shop", code=1)).errors
    await trimtab("apps", "archive", "shop/prod", "--confirm", "shop/prod")
    gone = await trimtab("apps", "delete", "shop/prod", "--confirm", "shop/prod", "-m", "closed")
    assert gone.output == "shop/prod is deleted: 1 configs by revision 2, 1 agent tokens\n"
    assert "closed" in (await trimtab("changes")).output
    assert (await trimtab("apps", "delete", "shop", "--confirm", "shop", "--force")).output.startswith(
        "shop is deleted"
    )
    for name in ("/prod", "shop/", "a/b/c"):
        assert "neither" in (await trimtab("apps", "unarchive", name, code=2)).errors
