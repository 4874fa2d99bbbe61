"""The two ways in which the protocol's clients show a token: `Authorization: Bearer …`, or `X-API-Key: …`."""

from dataclasses import replace

from agent.local_api.asked import Asked


def with_bearer(asked: Asked) -> Asked:
    """The request with its API key as the bearer token that it is; what it says in Authorization goes first."""
    key = asked.headers.get("x-api-key")
    if key is None or "authorization" in asked.headers:
        return asked
    return replace(asked, headers={**asked.headers, "authorization": f"Bearer {key}"})
