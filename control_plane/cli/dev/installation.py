"""The first run: an example installation through the public API, and the agent's token."""

from importlib.resources import files

from control_plane.cli.client import Client, ClientError
from shared.domain.codec import Json, decode

SAMPLE_APP, SAMPLE_ENVIRONMENT = "checkout", "prod"
EMPTY_APP, EMPTY_ENVIRONMENT = "demo", "dev"


def load_sample_data(client: Client) -> int:
    """Make the example's applications and changes; returns how many configs that were. Safe to repeat.

    Other people's applications are a sign that this is no new installation: then nothing is done.
    """
    sample: Json = decode((files(__package__) / "sample_data.json").read_bytes())
    ours = {each["app_id"] for each in sample["apps"]}
    present = {each["app_id"]: each["environments"] for each in client.pages("/api/v1/apps", {})}
    if present.keys() - ours:
        return 0
    for app in sample["apps"]:
        _ensure_app(client, app, sample["environments"], present)
    for number, change in enumerate(sample["changes"]):
        client.post("/api/v1/changes", change, idempotency_key=f"sample-data-{number}")
    return sum(len(each["operations"]) for each in sample["changes"])


def prepare_agent(client: Client, app_id: str, environment: str) -> str:
    """Make sure that the agent's app/environment exists, and a token for it."""
    present = {each["app_id"]: each["environments"] for each in client.pages("/api/v1/apps", {})}
    _ensure_app(client, {"app_id": app_id, "description": ""}, [environment], present)
    path = f"/api/v1/apps/{app_id}/environments/{environment}/agent-tokens"
    token: str = client.post(path, {"description": "The agent of `trimtab dev`"})["token"]
    return token


def agent_token_works(client: Client, app_id: str, environment: str, token: str) -> bool:
    """Whether a token of a previous run is still in force."""
    try:
        Client(client.url, token).get(f"/api/v1/snapshots/{app_id}/{environment}")
    except ClientError:
        return False
    return True


def _ensure_app(client: Client, app: Json, environments: list[str], present: dict[str, list[str]]) -> None:
    if app["app_id"] not in present:
        client.post("/api/v1/apps", app)
    for environment in environments:
        if environment not in present.get(app["app_id"], ()):
            client.post(f"/api/v1/apps/{app['app_id']}/environments", {"environment": environment})
