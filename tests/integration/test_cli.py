"""The command line against the real API."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from control_plane.domain.access.role import Role
from tests.rig.api import serving_api
from tests.rig.cli import Cli


@pytest.fixture
async def trimtab(migrated_url: str) -> AsyncIterator[Cli]:
    async with serving_api(migrated_url) as api:
        await api.register()
        yield Cli(api)


async def test_a_key_is_made_listed_and_revoked_by_its_name(trimtab: Cli, tmp_path: Path) -> None:
    token = (await trimtab("api-keys", "create", "alice", "--role", "publisher")).output.strip()
    await trimtab("put", "a", "1", "--app", "shop", "-m", "hers", token=token)
    assert "alice" in (await trimtab("changes", token=token)).output
    refused = await trimtab("api-keys", "create", "bob", "--role", "viewer", token=token, code=1)
    assert "api-keys.write" in refused.errors

    await trimtab("api-keys", "create", "bob", "--role", "viewer", "--write", str(tmp_path / "bob"))
    assert (tmp_path / "bob").read_text().startswith("trimtab_viewer_")
    assert (tmp_path / "bob").stat().st_mode & 0o777 == 0o600
    listed = (await trimtab("api-keys", "list")).lines
    assert [line.split("\t")[:2] for line in listed] == [["alice", "publisher"], ["bob", "viewer"]]

    second = (await trimtab("api-keys", "rotate", "alice", "--overlap", "1h")).output.strip()
    for each in (token, second):
        assert "alice" in (await trimtab("changes", token=each)).output
    shown = (await trimtab("api-keys", "show", "alice")).output
    assert second[:22] in shown
    assert second not in shown
    assert "no length of time" in (await trimtab("api-keys", "rotate", "alice", "--overlap", "soon", code=2)).errors

    await trimtab("api-keys", "revoke", "alice")
    assert "TRIMTAB_TOKEN" in (await trimtab("list", token=token, code=1)).errors
    assert "no API key" in (await trimtab("api-keys", "revoke", "alice", code=1)).errors


async def test_a_change_of_several_operations_is_made_of_options_and_a_file(trimtab: Cli, tmp_path: Path) -> None:
    file = tmp_path / "change.json"
    file.write_text('{"message": "from a file", "operations": [{"op": "put", "key": "c", "value": null}]}')
    given = ("--put", "a=1", "--put", "b=two", "--mask", "x", "--label", "ticket=OPS-7", "--file", str(file))
    made = await trimtab("change", "create", "--app", "shop", "--env", "prod", *given)
    assert made.output == "revision 1\n"
    told = (await trimtab("change", "show", "1", "--json")).document
    assert told["message"] == "from a file"
    assert told["labels"] == {"ticket": "OPS-7"}
    assert {(each["op"], each["app_id"], each["key"]) for each in told["operations"]} == {
        ("put", None, "c"),
        ("put", "shop", "a"),
        ("put", "shop", "b"),
        ("mask", "shop", "x"),
    }
    assert "a\tv1" in (await trimtab("change", "show", "1")).output
    assert "from a file" in (await trimtab("change", "list")).output
    assert (await trimtab("get", "b", "--app", "shop", "--env", "prod")).output == "two\n"


async def test_what_makes_no_sense_is_refused_before_asking(trimtab: Cli) -> None:
    for arguments in (
        [],
        ["--put", "novalue"],
        ["--put", "a=1", "--env", "prod"],
        ["--put", "a=1", "--label", "ticket"],
        ["--put", "a=1", "--draft", "--submit"],
        ["--put", "a=1", "--break-glass", "now", "--at", "+1h"],
        ["--put", "a=1", "--at", "soon"],
        ["--put", "a=1", "--at", "+999999999d"],
        ["--file", "/does/not/exist"],
        ["--file", "pyproject.toml"],
    ):
        await trimtab("change", "create", *arguments, code=2)
    assert (await trimtab("changes")).output == ""


async def test_what_was_is_looked_back_at_compared_and_put_back(trimtab: Cli) -> None:
    place = ("--app", "shop", "--env", "prod")
    await trimtab("put", "pool", '{"size": 5, "name": "a"}', *place, "-m", "first")
    await trimtab("put", "pool", '{"size": 9, "name": "a"}', *place, "-m", "second")
    versions = [line.split("\t") for line in (await trimtab("history", "pool", *place)).lines]
    assert [(each[0], each[-1]) for each in versions] == [("v2", "second"), ("v1", "first")]
    assert (await trimtab("diff", "pool", *place)).lines == ["v1 -> v2", "  ~ /size: 5 -> 9"]
    assert '"size":5' in (await trimtab("effective", *place, "--revision", "1")).output
    assert '"size":9' in (await trimtab("effective", *place, "--at", "-0s")).output
    assert (await trimtab("effective", *place, "--at", "-1d")).output == ""
    assert "pool" in (await trimtab("compare", "shop/prod@1", "shop/prod")).output
    assert (await trimtab("compare", "shop/prod", "shop/prod")).output == ""

    await trimtab("rollback", "pool", "1", *place)
    assert '"size":5' in (await trimtab("get", "pool", *place)).output
    await trimtab("change", "revert", "3", "-m", "no")
    assert '"size":9' in (await trimtab("get", "pool", *place)).output
    moved = await trimtab("change", "revert", "2", code=1)
    assert "pool" in moved.errors
    await trimtab("restore", *place, "--to-revision", "1", "--dry-run")
    await trimtab("restore", *place, "--to-revision", "1")
    assert '"size":5' in (await trimtab("get", "pool", *place)).output
    await trimtab("restore", *place, code=2)

    await trimtab.api.register("shop", "dev")
    await trimtab("promote", "pool", "--from", "shop/prod", "--to", "shop/dev")
    assert '"size":5' in (await trimtab("get", "pool", "--app", "shop", "--env", "dev")).output
    await trimtab("promote", "pool", "--from", "prod", "--to", "shop/dev", code=2)
    assert "never was" in (await trimtab("history", "nope", *place, code=1)).errors


async def test_secrets_are_not_shown_by_looking_back(trimtab: Cli) -> None:
    place = ("--app", "shop", "--env", "prod")
    for value in ("hush-1", "hush-2"):
        await trimtab("put", "password", value, "--sensitive", *place)
    for arguments in (
        ("history", "password", *place),
        ("diff", "password", *place),
        ("effective", *place),
        ("compare", "shop/prod@1", "shop/prod"),
        ("change", "show", "1"),
    ):
        for more in ((), ("--json",)):
            said = await trimtab(*arguments, *more)
            assert "hush" not in said.output + said.errors, arguments
            assert said.output


async def test_a_preview_tells_what_everybody_would_see(trimtab: Cli) -> None:
    place = ("--app", "shop", "--env", "prod")
    await trimtab("put", "http.timeout_ms", "4000", *place)
    await trimtab("put", "old", "1", "--app", "shop")
    seen = (
        await trimtab(
            "change", "preview", "--put", "http.timeout_ms=5000", "--put", "new=1", "--delete", "old", "--app", "shop"
        )
    ).output
    assert "shop/prod" in seen
    assert "+ new: 1 [app]" in seen
    assert "- old: 1 [app]" in seen
    assert "http.timeout_ms in shop: overridden by shop/prod" in seen
    assert "1 environment (shop/prod)" in seen
    typed = await trimtab("change", "preview", *place, "--put", "http.timeout_ms=soon")
    assert "type_change (refuse)" in typed.output
    assert typed.lines[-1] == "It would be refused as it is."
    secret = await trimtab("change", "preview", *place, "--put", "db.password=hush-1")
    assert "Look at:" in secret.output


async def test_flags_and_segments_are_put_from_files_and_shown(trimtab: Cli, tmp_path: Path) -> None:
    place = ("--app", "shop", "--env", "prod")
    await trimtab("put", "nordic", "--segment", "-", *place, stdin="when: {attribute: country, op: exists}")
    file = tmp_path / "flag.json"
    file.write_text(
        '{"variants": {"a": 1, "b": 2}, "default": "b", "rules": [{"when": {"segment": "nordic"}, "serve": "a"}]}'
    )
    await trimtab("put", "limit", "--flag", str(file), *place)
    assert (await trimtab("get", "limit", *place)).output == "2\n"
    listed = (await trimtab("list")).output
    assert 'segment {"when":' in listed
    assert 'flag {"default":' in listed
    assert "what refers to it: limit" in (await trimtab("delete", "nordic", *place, code=1)).errors
    wider = '[{"op": "put", "app_id": "shop", "environment": "prod", "key": "nordic", "segment": {"when": {"attribute": "age", "op": "exists"}}}]'
    seen = (await trimtab("change", "preview", "--file", "-", stdin=wider)).output
    assert "shop/prod: the flag limit [environment] refers to nordic" in seen
    assert "~ nordic: segment" in seen
    for wrong in (["--flag", str(tmp_path / "none")], ["1", "--flag", str(file)], [], ["--flag", "-"]):
        assert (await trimtab("put", "limit", *wrong, *place, code=2, stdin="{")).errors


async def test_guards_are_passed_with_a_reason(trimtab: Cli) -> None:
    place = ("--app", "shop", "--env", "prod")
    await trimtab("put", "limit", "4000", *place)
    refused = await trimtab("put", "limit", "many", *place, code=1)
    assert "type_change" in refused.errors
    await trimtab("put", "limit", "many", *place, "--force", "readers take both")
    assert (await trimtab("get", "limit", *place)).output == "many\n"


async def test_schemas_are_set_tried_and_taken_away_by_their_keys(trimtab: Cli, tmp_path: Path) -> None:
    place = ("--app", "shop", "--env", "prod")
    await trimtab("put", "pool", '{"size": 5}', *place)
    file = tmp_path / "schema.json"
    file.write_text('{"properties": {"size": {"maximum": 9}}}')
    await trimtab("schemas", "set", "pool", f"@{file}", "--app", "shop")
    refused = await trimtab("put", "pool", '{"size": 10}', *place, code=1)
    assert "shop/prod" in refused.errors
    assert "pool" in refused.errors
    assert "/size" in refused.errors
    tried = await trimtab("schemas", "set", "pool", '{"type": "array"}', "--app", "shop", "--dry-run", code=1)
    assert "shop/prod pool (the whole value)" in tried.output
    await trimtab("schemas", "set", "pool", '{"type": "object"}', "--app", "shop")
    assert '"type":"object"' in (await trimtab("schemas", "list")).output
    assert (await trimtab("schemas", "show", "pool", "--app", "shop")).document == {"type": "object"}
    await trimtab("schemas", "delete", "pool", "--app", "shop")
    assert "no schema" in (await trimtab("schemas", "show", "pool", "--app", "shop", code=1)).errors


async def test_a_change_is_edited_approved_and_committed_by_several_people(trimtab: Cli) -> None:
    place = ("--app", "shop", "--env", "prod")
    alice, bob = await trimtab.api.key("alice", Role.EDITOR), await trimtab.api.key("bob", Role.APPROVER)
    await trimtab("policies", "set", "prod", "--pattern", "*/prod", "--approvals", "1", "--window", "* * * * * 1h UTC")
    assert "1 approval" in (await trimtab("policies", "list")).output
    change = (await trimtab("put", "a", "1", *place, "--draft", token=alice)).output.split()[0]
    edited = await trimtab("change", "edit", change, *place, "--put", "a=2", "-m", "better", token=alice)
    assert "better" in edited.output
    await trimtab("change", "submit", change, token=alice)
    assert "0 of 1" in (await trimtab("change", "show", change)).output
    await trimtab("change", "approve", change, "-m", "yes", "--edition", "2", token=bob)
    assert "revision" in (await trimtab("change", "commit", change)).output
    assert "by bob (approver): yes" in (await trimtab("change", "show", change)).output
    assert (await trimtab("get", "a", *place)).output == "2\n"

    other = (await trimtab("put", "a", "3", *place, "--submit", token=alice)).output.split()[0]
    await trimtab("change", "reject", other, token=bob)
    assert "rejected" in (await trimtab("change", "withdraw", other, token=alice, code=1)).errors
    await trimtab("put", "a", "4", *place, "--break-glass", "now")
    review = (await trimtab("reviews", "list")).output.split("\t")[0]
    assert "closed by bob" in (await trimtab("reviews", "close", review, token=bob)).output
    await trimtab("policies", "delete", "prod")
    await trimtab("put", "a", "5", *place)
    for wrong in (["--window", "always"], ["--expires-after", "soon"], ["--guard", "shrink"]):
        await trimtab("policies", "set", "x", "--pattern", "*", *wrong, code=2)
