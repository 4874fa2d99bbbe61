"""What agents say about themselves, and what is known of them."""

from aiohttp import web

from control_plane.api.bodies.fleet import AgentQuery, AgentReport, AgentView, NextReport
from control_plane.api.call import Call, reply
from control_plane.api.certified import require_certified
from control_plane.api.paging import Position, cut_page
from control_plane.api.services import Services
from control_plane.domain.access.decision import may
from control_plane.domain.access.permission import Permission
from control_plane.domain.access.reach import Place
from control_plane.ports.lossy import AgentPresence
from shared.runtime.clock import unix_ms


async def report_agent(services: Services, call: Call[AgentReport, None]) -> web.StreamResponse:
    """Take an agent's report about itself.

    Members that this control plane does not know are ignored: agents may be newer.
    """
    report = call.body.report()
    services.access.authorise(call.principal, Permission.FLEET_REPORT, Place(report.app_id, report.environment))
    require_certified(call, report.instance)
    interval = await services.fleet.record(report, call.address, call.principal)
    if (evidence := call.body.evidence) is not None:
        await services.evidences.record(evidence.report(report.app_id, report.environment, report.instance))
    await services.usage.record(report)  # the last: reads are counted again if the report is sent again
    return reply(NextReport(interval, unix_ms(services.clock.now())))


async def list_agents(services: Services, call: Call[None, AgentQuery]) -> web.StreamResponse:
    """List the live agents by application, environment and instance."""
    found = await services.fleet.agents(call.query.app_id, call.query.environment)
    agents = [each for each in found if may(call.principal, Permission.FLEET_READ, Place(*_place(each)[:2]))]
    return reply(cut_page(call, agents, _place, AgentView.of))


def _place(agent: AgentPresence) -> Position:
    return agent.report.app_id, agent.report.environment, agent.report.instance
