"""Credentials of agents, the keys of our tokens, and the end of tokens before their time."""

from aiohttp import web

from control_plane.api.bodies.identity import EnrolledView, Enrolling, NewRevocation, RevocationView
from control_plane.api.bodies.pages import PageQuery
from control_plane.api.call import Call, reply
from control_plane.api.certified import require_certified
from control_plane.api.paging import cut_page
from control_plane.api.presented import bearer_token
from control_plane.api.services import Services


async def enrol_agent(services: Services, call: Call[Enrolling, None]) -> web.StreamResponse:
    """Give an agent a credential of its own, or the next one.

    It comes with an agent token, or with the credential that it has. The new one is short-lived and good for this instance
    alone; it ends with the agent token that it goes back to. The keys verify what the agent gets from now on.
    """
    require_certified(call, call.body.instance)
    enrolled = services.enrolment.enrol(call.principal, call.body.instance, bearer_token(call.request))
    return reply(EnrolledView.of(enrolled), headers={"Cache-Control": "no-store"})


async def get_token_keys(services: Services, _call: Call[None, None]) -> web.StreamResponse:
    """Show the public keys of our access tokens, as a JSON Web Key Set."""
    return reply(services.access_tokens.key_set(), headers={"Cache-Control": "max-age=60"})


async def create_revocation(services: Services, call: Call[NewRevocation, None]) -> web.StreamResponse:
    """End all tokens of a subject that were issued until now, or in the next few seconds, by a replica that did not know.

    On every replica within two seconds; streams of agents that it concerns end within three more. Who still has an API key or
    an agent token gets new ones for it: revoke that first.
    """
    made = await services.revoking.revoke(call.body.subject, call.body.reason, call.attribution)
    return reply(RevocationView.of(made), 201, {"Location": "/api/v1/revocations"})


async def list_revocations(services: Services, call: Call[None, PageQuery]) -> web.StreamResponse:
    """List the revocations that still mean something, newest first."""
    await services.revoking.load()
    return reply(cut_page(call, services.revoking.known, lambda each: (each.subject,), RevocationView.of))
