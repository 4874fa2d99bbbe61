"""From what people call a thing to how the API addresses it."""

from control_plane.cli.calling import Api
from control_plane.cli.operations import Place
from control_plane.cli.terminal import EXIT_USAGE, fail
from shared.domain.codec import Json

_CONFIGS = "/api/v1/configs"


def config_path(api: Api, key: str, place: Place) -> str:
    """The path of the config that stands, or stood, in a scope for this key."""
    scope = place.members()
    level = "environment" if place.environment else "app" if place.app else "global"
    query = {**scope, "scope": level, "prefix": key, "include_deleted": "true", "include_archived": "true"}
    with api.calling() as client:
        found = next((each["id"] for each in client.pages(_CONFIGS, query) if each["key"] == key), None)
    if found is None:
        fail(f"there never was a config {key!r} in {name_of(place)}: see `trimtab list`")
    return f"{_CONFIGS}/{found}"


def name_of(place: Place) -> str:
    """A scope, for a sentence."""
    if place.app is None:
        return "the global scope"
    return place.app if place.environment is None else f"{place.app}/{place.environment}"


def read_pair(text: str) -> dict[str, Json]:
    """The members of a request that name an application and an environment: `billing/prod`."""
    app, slash, environment = text.partition("/")
    if not (slash and app and environment):
        fail(f"{text!r} is not APP/ENVIRONMENT, as in billing/prod", EXIT_USAGE)
    return {"app_id": app, "environment": environment}
