"""Moments at the ends of the calendar, which overflow when they are brought to another time zone."""

from collections.abc import AsyncIterator

import pytest

from tests.rig.api import Api, serving_api

_FIRST, _LAST = "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"
_PUT = [{"op": "put", "app_id": None, "environment": None, "key": "a", "value": 1}]


@pytest.fixture
async def api(migrated_url: str) -> AsyncIterator[Api]:
    async with serving_api(migrated_url) as running:
        await running.register("shop", "prod")
        yield running


@pytest.mark.parametrize("at", [_FIRST, _LAST])
async def test_no_moment_is_too_early_or_too_late_to_be_answered(api: Api, at: str) -> None:
    quoted = at.replace("+", "%2B")
    answers = [
        await api.get(f"/effective/shop/prod?at={quoted}"),
        await api.get(f"/compare?left=shop/prod@{quoted}&right=shop/prod"),
        await api.get(f"/audit?since={quoted}"),
        await api.get(f"/audit?until={quoted}"),
        await api.post("/configs/fetch", {"app_id": "shop", "environment": "prod", "at": at}),
        await api.post("/named-snapshots", {"name": "end", "at": at}),
        await api.post("/apps/shop/environments/prod/restore", {"at": at}),
        await api.post("/changes", {"operations": _PUT, "scheduled_at": at}),
        await api.post("/api-keys", {"name": "alice", "role": "viewer", "expires_at": at}),
    ]
    assert [each.status for each in answers if each.status >= 500] == [], [each.body for each in answers]
