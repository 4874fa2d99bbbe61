"""What an agent knows of itself, as rules see it; no request can say otherwise."""

from collections.abc import Mapping

from shared.domain.context import Attribute, EvaluationContext

PREFIX = "agent."
"""What the names of these attributes begin with."""


def own_attributes(instance: str, app_id: str, environment: str, labels: Mapping[str, str]) -> dict[str, Attribute]:
    """The attributes by which canaries go."""
    named = {f"{PREFIX}label.{name}": value for name, value in labels.items()}
    return {**named, f"{PREFIX}instance": instance, f"{PREFIX}app": app_id, f"{PREFIX}environment": environment}


def own_context(instance: str, app_id: str, environment: str, labels: Mapping[str, str]) -> EvaluationContext:
    """The context of the agent itself: files are rendered with it, since nobody asks for them."""
    return EvaluationContext(attributes=own_attributes(instance, app_id, environment, labels))
