"""The admin API on what all planes do, and did in the last hour."""

from litestar import get
from litestar.params import FromQuery
from litestar.response import Stream

from attacca.control.http.context import TheContext
from attacca.control.http.document import refusals
from attacca.errors import Overloaded
from attacca.model.history import FUNCTION_STEP_S, STEP_S
from attacca.model.overview import HistoryRow, Overview, history

EVENTS = "text/event-stream"


@get("/api/overview", responses=refusals())
async def show_overview(context: TheContext) -> Overview:
    """What all planes do now, in few words."""
    return await context.look()


@get("/api/history", responses=refusals(404))
async def show_history(context: TheContext, function: FromQuery[str | None] = None) -> HistoryRow:
    """The last hour, of all functions in steps of ten seconds, or of one in minutes."""
    if function is not None:
        context.control.function(function)
    told = await context.control.views.history(function or "")
    return history(told, FUNCTION_STEP_S if function else STEP_S)


@get("/api/events", media_type=EVENTS, responses=refusals(503))
async def follow_events(context: TheContext) -> Stream:
    """Server-sent events: `overview` with what all planes do now, then a `change` at most once a second."""
    if context.watching.is_full:
        raise Overloaded("too many watch already", "close some dashboards")
    return Stream(context.watching.follow(), media_type=EVENTS, headers={"cache-control": "no-store"})


HANDLERS = [show_overview, show_history, follow_events]
