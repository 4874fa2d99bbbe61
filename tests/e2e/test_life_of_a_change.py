"""A change from one person's wish to everybody's value and back, through the command line, `trimtab dev` and an agent."""

from collections.abc import Iterator

import anyio
import pytest

from control_plane.cli.client import Client
from shared.domain.codec import Json
from shared.runtime.clock import SystemClock
from tests.rig.dev import Dev, dev

_KEY = "payments.timeout_ms"
_PROD = ("--app", "checkout", "--env", "prod")
_STAGING = ("--app", "checkout", "--env", "staging")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    with dev(tmp_path_factory.mktemp("life") / "data") as started:
        yield started


async def _until(running: Dev, value: Json) -> None:
    """Wait until the agent serves this value."""
    agent = Client(running.credentials["TRIMTAB_AGENT_URL"])
    with anyio.fail_after(10):
        while agent.get(f"/v1/values/{_KEY}") != value:
            await anyio.sleep(0.01)


async def _key(running: Dev, name: str, role: str) -> str:
    return (await running.trimtab("api-keys", "create", name, "--role", role)).strip()


@pytest.mark.timeout(180)
async def test_a_change_is_proposed_approved_scheduled_looked_back_at_and_undone(running: Dev) -> None:
    alice, bob = await _key(running, "alice", "editor"), await _key(running, "bob", "approver")
    carol = await _key(running, "carol", "publisher")
    await running.trimtab("policies", "set", "prod", "--pattern", "*/prod", "--approvals", "1")
    await _until(running, 4000)
    before = SystemClock().now().isoformat()

    put = ("put", _KEY, "5000", *_PROD, "-m", "The bank is slow")
    assert "changes.propose" in await running.trimtab(*put, token=bob, refused=True)
    assert "configs.write" in await running.trimtab(*put, token=alice, refused=True)
    refusal = await running.trimtab(*put, token=carol, refused=True)
    assert "prod" in refusal
    assert "submit" in refusal

    submitted = await running.trimtab(*put, "--at", "+1h", token=alice)
    change, state = submitted.split()[:2]
    assert state.strip(",") == "pending"
    assert change in await running.trimtab("change", "list", "--state", "open", token=bob)
    assert "changes.approve" in await running.trimtab("change", "approve", change, token=alice, refused=True)
    assert "scheduled" in await running.trimtab("change", "approve", change, "-m", "Looks right", token=bob)
    await running.trimtab("change", "schedule", change, "+2s", token=alice)
    await _until(running, 5000)
    told = await running.trimtab("change", "show", change)
    assert "committed" in told
    assert "alice" in told
    assert "bob" in told
    revision = told.split()[0]

    assert "5000" in await running.trimtab("effective", *_PROD, "--prefix", _KEY)
    assert "4000" in await running.trimtab("effective", *_PROD, "--prefix", _KEY, "--at", before)

    revert = ("change", "revert", revision, "-m", "It was not the bank")
    assert "submit" in await running.trimtab(*revert, token=carol, refused=True)
    await running.trimtab(*revert, "--break-glass", "Orders are lost")
    await _until(running, 4000)
    review = (await running.trimtab("reviews", "list", token=bob)).split("\t")[0]
    await running.trimtab("reviews", "close", review, "-m", "Right so", token=bob)
    assert await running.trimtab("reviews", "list", token=bob) == ""


@pytest.mark.timeout(180)
async def test_what_is_wrong_is_refused_with_what_and_where(running: Dev) -> None:
    schema = '{"type": "object", "properties": {"attempts": {"maximum": 10}}}'
    await running.trimtab("schemas", "set", "retry.policy", schema, "--app", "checkout")
    refusal = await running.trimtab("put", "retry.policy", '{"attempts": 99}', *_STAGING, refused=True)
    assert "checkout/staging" in refusal
    assert "retry.policy" in refusal
    assert "/attempts" in refusal

    await running.trimtab("put", "retry.limit", "3", *_STAGING)
    guarded = await running.trimtab("put", "retry.limit", "three", *_STAGING, refused=True)
    assert "type_change" in guarded
    assert "force" in guarded
    await running.trimtab("put", "retry.limit", "three", *_STAGING, "--force", "Nobody reads it yet")
    seen = await running.trimtab("change", "preview", "--put", "http.retries=1", "--put", "http.timeout_ms=9")
    assert "global_scope" in seen
    assert "checkout/prod" in seen


@pytest.mark.timeout(180)
async def test_the_record_is_whole_and_what_is_exported_can_be_imported(running: Dev) -> None:
    place = ("--app", "search", "--env", "dev")
    await running.trimtab("put", "query.timeout_ms", "700", *place)
    configs = str(running.data_dir.parent / "configs")
    await running.trimtab("export", configs)
    await running.trimtab("put", "query.timeout_ms", "900", *place)
    imported = await running.trimtab("import", configs, "--on-conflict", "overwrite", "--yes", "-m", "As it was")
    assert "query.timeout_ms" in imported
    assert (await running.trimtab("get", "query.timeout_ms", *place)).strip() == "700"
    assert "whole" in await running.trimtab("audit", "verify")
