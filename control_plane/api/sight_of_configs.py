"""Configs as their readers may see them: found by their ids, and effective in an app/environment."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from control_plane.api.bodies.configs import EffectiveConfig, Fetch
from control_plane.api.call import Call
from control_plane.api.services import Services
from control_plane.api.sight import place_of, require_known, sees_all
from control_plane.domain.access.decision import may
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.principal import Principal
from control_plane.domain.access.reach import Place
from control_plane.domain.change import Config
from control_plane.domain.errors import ForbiddenError
from shared.domain.resolution import Resolution

_KIND = "config"


async def require_config(services: Services, call: Call[Any, Any], permission: Permission) -> Config:
    """The config of the id in the path, also a deleted one, if the caller may do this to it.

    Raises:
        NotFoundError: there is none, or none that the caller may see.
        ForbiddenError: the caller may see it, but not do this.
    """
    config = await services.configs.get(call.id(_KIND))
    require_known(call, _KIND, permission, place_of(config))
    return config


def looks_into_values(principal: Principal) -> bool:
    """Whether whatever config it may see, it may see the value of."""
    if Permission.VALUES_READ in principal.everywhere:
        return True
    reading = [each for each in principal.grants if Permission.CONFIGS_READ in each.permissions]
    return all(Permission.VALUES_READ in each.permissions for each in reading)


def require_sight_of_values(call: Call[Any, Any]) -> None:
    """Refuse who would find out by searching what values he may not see.

    Raises:
        ForbiddenError: there are configs that the caller may see without their values.
    """
    if not looks_into_values(call.principal):
        detail = "Searching in values takes the permission values.read wherever you have configs.read."
        raise ForbiddenError(Permission.VALUES_READ, detail)


def seen_effective(principal: Principal, asked: Fetch, found: Mapping[str, Resolution]) -> dict[str, EffectiveConfig]:
    """What an app/environment gets, as far as the caller may see it."""
    if sees_all(principal):
        return {key: EffectiveConfig.of(each) for key, each in found.items()}
    seen = {}
    for key, each in found.items():
        place = Place(asked.app_id, asked.environment, key)
        if may(principal, Permission.CONFIGS_READ, place):
            shown = EffectiveConfig.of(each)
            bare = not may(principal, Permission.VALUES_READ, place)
            seen[key] = replace(shown, value=None, sensitive=True, variant=None) if bare else shown
    return seen
