"""What agents and the broker itself ask for, so that agents can listen there and do nothing else."""

from aiohttp import web

from control_plane.api.bodies.broker import BrokerCredentialView, NewBrokerCredential
from control_plane.api.call import Call, reply
from control_plane.api.certified import require_certified
from control_plane.api.services import Services
from control_plane.domain.access.permission import Permission
from control_plane.domain.errors import ForbiddenError, NotFoundError


async def create_broker_credential(services: Services, call: Call[NewBrokerCredential, None]) -> web.StreamResponse:
    """Get a short-lived credential for the broker, good for an agent of this app/environment.

    With it the agent can declare queues of its own, bind them to the three routing keys that concern it and consume from
    them. A control plane without a broker answers 404.
    """
    bound, instance = call.principal.instance, call.body.instance
    if bound is not None and bound != instance:
        raise ForbiddenError(Permission.FLEET_REPORT, "This credential belongs to another instance.")
    require_certified(call, instance)
    credential = services.broker_credentials.issue(call.app_id, call.environment, instance)
    if credential is None:
        kind = "broker"
        raise NotFoundError(kind, "of this installation")
    return reply(BrokerCredentialView.of(credential), headers={"Cache-Control": "no-store"})


async def get_broker_keys(services: Services, _call: Call[None, None]) -> web.StreamResponse:
    """Show the public keys with which the broker verifies the credentials of agents."""
    return reply(services.broker_credentials.key_set(), headers={"Cache-Control": "max-age=60"})
