"""Reviews of commits past their policies."""

from aiohttp import web

from control_plane.api.bodies.life import Closing, ReviewQuery, ReviewView
from control_plane.api.bodies.pages import PageView
from control_plane.api.call import Call, reply
from control_plane.api.services import Services


async def list_reviews(services: Services, call: Call[None, ReviewQuery]) -> web.StreamResponse:
    """List reviews, newest first.

    Whenever somebody breaks the glass, a review is opened, and stays open until somebody else closes it.
    """
    query = call.query
    is_open = None if query.state is None else query.state == "open"
    page = await services.proposals.reviews(is_open=is_open, limit=call.page_size(query.limit), cursor=query.cursor)
    return reply(PageView(tuple(map(ReviewView.of, page.items)), page.next_cursor))


async def close_review(services: Services, call: Call[Closing, None]) -> web.StreamResponse:
    """Close a review of what somebody else did."""
    review = await services.proposals.close_review(call.id("review"), call.body.comment, call.attribution)
    return reply(ReviewView.of(review), headers={"Location": "/api/v1/reviews"})
