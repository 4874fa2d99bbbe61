"""What an application reads from a real agent is known to a real control plane."""

from pathlib import Path

import anyio
import pytest

from control_plane.cli.client import Client
from shared.domain.codec import decode
from tests.rig.dev import dev

_READS = "/api/v1/apps/checkout/environments/prod/reads"


@pytest.mark.timeout(120)
async def test_reads_from_an_agent_are_counted_and_the_rest_is_listed_as_unused(tmp_path: Path) -> None:
    with dev(tmp_path / "data") as running:
        agent = Client(running.credentials["TRIMTAB_AGENT_URL"])
        for _ in range(3):
            assert agent.get("/v1/values/payments.retries") == 2
        await running.trimtab("put", "payments.retries", "3", "--app", "checkout", "--env", "prod")  # it reports then
        client = Client(running.credentials["TRIMTAB_URL"], running.credentials["TRIMTAB_TOKEN"])
        with anyio.fail_after(60):
            while (counts := {each["key"]: each["reads"] for each in client.pages(_READS, {})})["payments.retries"] < 3:
                await anyio.sleep(0.05)
        assert counts["payments.retries"] >= 3
        coverage = client.get(_READS)["coverage"]
        assert (coverage["live_agents"], coverage["agents_without_counts"]) == (1, 0)
        listed = decode(await running.trimtab("unused", "--app", "checkout", "--env", "prod", "--json"))
        assert "payments.retries" not in {each["key"] for each in listed["items"]}
