"""Applications that were written for AWS AppConfig Agent read ours as they are."""

import aiohttp
import pytest

from shared.domain.codec import Json, canonical, decode
from shared.domain.entry import Entry, Kind
from tests.fakes.snapshots import following
from tests.integration.test_local_api import TOKEN, Agent, agent
from tests.rig.entries import entry, exposure, seeing

UI = {
    "variants": {"QA": {"dark_mode_support": True}, "Default": {"dark_mode_support": False}},
    "default": "Default",
    "rules": [{"when": {"attribute": "email", "op": "ends_with", "values": ["@example.org"]}, "serve": "QA"}],
}
ENTRIES = (
    entry("web.ui_refresh", UI, "flag"),
    entry("web.on", True),
    entry("web.off", False),
    entry("web.size", 3),
    entry("web.hosts", ["a", "b"]),
    entry("web.theme", {"dark": True, "enabled": False}),
    entry("web.nothing", None),
    entry("web.nested.name", "deep"),
    entry("web.people", {"when": {"attribute": "a", "op": "exists"}}, "segment"),
    entry("database", {"pool": 20}),
    entry("motd", "grüß dich"),
    entry("website.on", True),
)
WEB = {
    "hosts": {"enabled": True, "value": ["a", "b"]},
    "nested.name": {"enabled": True, "value": "deep"},
    "nothing": {"enabled": False},
    "off": {"enabled": False},
    "on": {"enabled": True},
    "size": {"enabled": True, "value": 3},
    "theme": {"enabled": False, "dark": True},
    "ui_refresh": {"enabled": True, "_variant": "Default", "dark_mode_support": False},
}
WHERE = "/applications/billing/environments/prod/configurations"


async def read(it: Agent, at: str, *headers: tuple[str, str]) -> tuple[int, Json, aiohttp.ClientResponse]:
    """JSON decoded, everything else as a text."""
    async with it.session.get(
        it.url + (at if at.startswith("/") else f"{WHERE}/{at}"), headers=list(headers)
    ) as answer:
        body = await answer.read()
        json = answer.headers.get("Content-Type") == "application/json"
        return answer.status, decode(body) if json else body.decode(), answer


async def test_a_profile_is_all_flags_below_its_name() -> None:
    async with agent() as it:
        seeing(it, *ENTRIES)
        status, document, answer = await read(it, "web")
        assert (status, document) == (200, WEB)
        assert answer.headers["ConfigurationVersion"] == answer.headers["Configuration-Version"] == "1"
        seeing(it, *ENTRIES, entry("web.more", 1))
        _, document, answer = await read(it, "web")
        assert (document["more"], answer.headers["ConfigurationVersion"]) == ({"enabled": True, "value": 1}, "2")


async def test_one_flag_is_its_object_and_several_are_named() -> None:
    async with agent() as it:
        seeing(it, *ENTRIES)
        assert (await read(it, "web?flag=size"))[1] == WEB["size"]
        assert (await read(it, "web?flag=nested.name"))[1] == WEB["nested.name"]
        assert (await read(it, "web?flag=size&flag=on"))[1] == {"size": WEB["size"], "on": WEB["on"]}
        assert (await read(it, "web?flag=size&flag=size"))[1] == WEB["size"]
        assert (await read(it, "web?flag="))[1] == WEB


@pytest.mark.parametrize(
    "headers",
    [
        [("Context", "email=ada@example.org")],
        [("context", "plan=pro,email=ada@example.org")],
        [("Context", "plan=pro"), ("Context", "email=ada@example.org")],
        [("Context", " plan = pro , email = ada@example.org ,")],
        [("Context", 'email:="ada@example.org"')],
    ],
)  # fmt: skip
async def test_the_context_decides_the_variant(headers: list[tuple[str, str]]) -> None:
    async with agent() as it:
        seeing(it, *ENTRIES)
        expected = {"_variant": "QA", "dark_mode_support": True, "enabled": True}
        assert (await read(it, "web?flag=ui_refresh", *headers))[1] == expected
        assert (await read(it, "web", *headers))[1]["ui_refresh"] == expected
        assert (await read(it, "web?flag=ui_refresh", ("Context", "email=ada@example.com")))[1]["_variant"] == "Default"


async def test_the_entity_is_placed_and_always_at_the_same_place() -> None:
    async with agent() as it:
        half = exposure((0, 50_000), candidate={"new": True})
        seeing(it, entry("web.k", {"new": False}, rollout=half), entry("page", "old", rollout=exposure((0, 50_000))))
        seen = {}
        for name in (f"user-{index}" for index in range(40)):
            entity = ("Entity-Id", name)
            flag = (await read(it, "web?flag=k", entity))[1]
            assert flag["new"] is (flag["_variant"] == "candidate")
            assert (await read(it, "web", entity, ("Context", "targetingKey=other")))[1]["k"] == flag
            assert (await read(it, "page", entity))[1] == ("new" if flag["new"] else "old")
            seen[name] = flag["_variant"]
        assert set(seen.values()) == {"candidate", "baseline"}
        assert (await read(it, "web?flag=k"))[1]["_variant"] == "baseline"


async def test_a_flag_that_is_off_is_not_enabled() -> None:
    async with agent() as it:
        off = UI | {"on": False}
        seeing(it, entry("web.ui", off, "flag"), entry("web.b", {"variants": {"y": True}, "default": "y"}, "flag"))
        assert (await read(it, "web"))[1] == {
            "ui": {"enabled": False, "_variant": "Default", "dark_mode_support": False},
            "b": {"enabled": True, "_variant": "y"},
        }


async def test_a_config_of_the_profiles_name_is_a_document_as_it_is() -> None:
    async with agent() as it:
        seeing(it, *ENTRIES, entry("web", [1]), entry("ui", UI, "flag"))
        assert (await read(it, "database"))[1] == {"pool": 20}
        status, text, answer = await read(it, "motd")
        assert (status, text, answer.headers["Content-Type"]) == (200, "grüß dich", "text/plain; charset=utf-8")
        assert (await read(it, "web"))[1] == [1]
        assert (await read(it, "web?flag=size"))[1] == WEB["size"]
        assert (await read(it, "ui", ("Context", "email=a@example.org")))[1] == {"dark_mode_support": True}


async def test_a_reader_that_has_the_document_gets_304() -> None:
    async with agent() as it:
        seeing(it, *ENTRIES)
        for at in ("web", "web?flag=size", "motd"):
            _, _, answer = await read(it, at)
            status, body, again = await read(it, at, ("If-None-Match", answer.headers["ETag"]))
            assert (status, body, again.headers["ConfigurationVersion"]) == (304, "", "1")
        async with it.session.head(f"{it.url}{WHERE}/web") as answer:
            assert (answer.status, answer.headers["ConfigurationVersion"]) == (200, "1")


@pytest.mark.parametrize(
    ("at", "says"),
    [
        ("/applications/other/environments/prod/configurations/web", "/applications/billing/environments/prod"),
        ("/applications/billing/environments/test/configurations/web", "/applications/billing/environments/prod"),
        ("none", "'none.'"),
        ("we", "'we'"),
        ("people", "'people'"),
        ("web%2Fon", "'web/on'"),
        ("%00%E2%82%AC%ff", "There is no config"),
        ("web?flag=none", "'web.none'"),
        ("web?flag=size&flag=none", "'web.none'"),
        ("web?flag=people", "'web.people'"),
    ],
)
async def test_what_there_is_not_is_told_as_appconfig_does(at: str, says: str) -> None:
    async with agent() as it:
        seeing(it, *ENTRIES)
        status, text, answer = await read(it, at)
        assert (status, answer.headers["Content-Type"]) == (404, "application/text")
        assert text.startswith("ResourceNotFoundException: ")
        assert says in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Context", "email"),
        ("Context", "=x"),
        ("Context", "age:=x"),
        ("Context", f"a={'x' * 2_000}"),
        ("Entity-Id", "x" * 2_000),
        ("Context", ",".join(f"a{index}=1" for index in range(300))),
    ],
)
async def test_a_context_that_cannot_be_taken_is_a_bad_request(name: str, value: str) -> None:
    async with agent() as it:
        seeing(it, *ENTRIES)
        status, text, _ = await read(it, "web", (name, value))
        assert (status, text.startswith("BadRequestException: ")) == (400, True)


async def test_before_the_first_snapshot_there_is_nothing_behind_us() -> None:
    async with agent() as it:
        status, text, answer = await read(it, "web")
        assert (status, text.partition(":")[0], answer.headers["Retry-After"]) == (502, "BadGatewayException", "1")


async def test_sensitive_values_are_for_who_shows_the_token() -> None:
    async with agent(local_token=TOKEN) as it:
        secret = Entry("web.password", Kind.VALUE, canonical("hunter2"), 1, 1, True)
        page = Entry("page", Kind.VALUE, canonical("hunter2"), 1, 1, True)
        it.live(following(it.store.current, 1, {"web.password": secret, "page": page, "web.on": entry("web.on", True)}))
        right, wrong = ("Authorization", f"Bearer {TOKEN}"), ("Authorization", "Bearer wrong")
        assert (await read(it, "web"))[1] == {"on": {"enabled": True}}
        assert (await read(it, "web", right))[1]["password"] == {"enabled": True, "value": "hunter2"}
        for at in ("page", "web?flag=password"):
            status, text, _ = await read(it, at)
            assert (status, text.partition(":")[0]) == (401, "UnauthorizedException")
            assert (await read(it, at, wrong))[0] == 401
            assert (await read(it, at, right))[0] == 200
            assert (await read(it, at, right, ("Via", "1.1 proxy")))[0] == 403
        assert (await read(it, "web", wrong))[0] == 401


async def test_reads_are_counted() -> None:
    async with agent() as it:
        seeing(it, *ENTRIES)
        for at in ("web", "web?flag=on&flag=size", "motd", "web?flag=on"):
            await read(it, at)
        counted = it.usage.take()
        assert (counted.keys, counted.bulk) == ({"web.on": 2, "web.size": 1, "motd": 1}, 1)
