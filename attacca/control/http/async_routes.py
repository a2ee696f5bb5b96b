"""The admin API on asynchronous calls and schedules, as far as they are in the journal that is asked."""

import asyncio
from typing import Annotated

import msgspec
from litestar import delete, get, post
from litestar.params import FromPath, FromQuery, QueryParameter

from attacca.control.async_calls import Calls
from attacca.control.http.api import AsyncDetail, AsyncRow, Counted, ScheduleRow
from attacca.control.http.context import TheContext
from attacca.control.http.document import refusals
from attacca.errors import Conflict, NotFound
from attacca.kernel import cron
from attacca.model.async_call import AsyncCall, Delete, Gone, Mark, Record, Result, Revive, State, Unwritten
from attacca.model.function import Settings
from attacca.model.invocation import Failed, FunctionError, Ok

FOLLOWING = 3  # due times that are shown behind the next

Limit = Annotated[int, QueryParameter(ge=1, le=10_000)]


@get("/api/async", responses=refusals())
async def list_async_calls(
    context: TheContext,
    function: FromQuery[str | None] = None,
    being: Annotated[State | None, QueryParameter(name="state", description="in this state only")] = None,
    limit: Limit = 100,
) -> list[AsyncRow]:
    """The latest first."""
    return [row(call) for call in await context.observe.journal.latest(being, function, limit)]


@get("/api/async/{call:str}", responses=refusals(404))
async def describe_async_call(call: FromPath[str], context: TheContext) -> AsyncDetail:
    record = await context.observe.journal.find(call)
    if record is None:
        raise unknown(call)
    return detail(record)


@post("/api/async/{call:str}/retry", status_code=202, responses=refusals(404, 409))
async def retry_async_call(call: FromPath[str], context: TheContext) -> Counted:
    """A dead call is tried anew, with all its attempts before it."""
    settle(call, await put(context.observe.journal, Revive(call, context.control.clock.wall())), "is not dead")
    return Counted(1)


@delete("/api/async/{call:str}", status_code=200, responses=refusals(404, 409))
async def delete_async_call(call: FromPath[str], context: TheContext) -> Counted:
    """One that is over is forgotten, with its answer; one that is not is cancelled at the gateway."""
    settle(call, await put(context.observe.journal, Delete(call)), "is not over")
    return Counted(1)


@get("/api/schedules", responses=refusals())
async def list_schedules(context: TheContext) -> list[ScheduleRow]:
    """When functions are run by themselves: the next times first."""
    marks, wall = await context.observe.journal.marks(), context.control.clock.wall()
    known = [function.now.settings for function in context.control.functions()]
    rows = [schedule(settings, one, marks, wall) for settings in known for one in settings.schedule]
    return sorted(rows, key=lambda row: (row.next is None, row.next or 0.0, row.function))


HANDLERS = [list_async_calls, describe_async_call, retry_async_call, delete_async_call, list_schedules]


def row(call: AsyncCall) -> AsyncRow:
    return AsyncRow(
        id=call.id, function=call.function, kind=call.kind, state=call.state, at=call.at, due=call.due,
        attempts=call.attempts, size=call.size, why=call.why, callback=call.posting, ended_at=call.ended_at,
        expires_at=call.expires_at,
    )  # fmt: skip


def detail(record: Record) -> AsyncDetail:
    call, sent, outcome = record.call, record.request, record.outcome
    known = {} if sent is None else {
        "method": sent.method, "path": sent.path, "query": sent.query, "content_type": sent.content_type,
        "body": sent.body,
    }  # fmt: skip
    shown = AsyncDetail(call=row(call), tries=call.tries, **known)  # type: ignore[arg-type]
    match outcome:
        case None:
            return shown
        case Ok():
            more = {"status": outcome.status, "answer_type": outcome.content_type, "answer": outcome.body}
        case FunctionError(type=kind, message=message, traceback=traceback):
            more = {"error": "function_error", "message": f"{kind}: {message}", "traceback": traceback}
        case Failed(code=code, message=message, traceback=traceback):
            more = {"error": code, "message": message, "traceback": traceback}
    return msgspec.structs.replace(shown, **more)


def schedule(settings: Settings, expression: str, marks: dict[str, Mark], wall: float) -> ScheduleRow:
    times: list[float] = []
    at: float | None = wall
    while at is not None and len(times) <= FOLLOWING:
        at = cron.next_due(expression, settings.timezone, at)
        times += [] if at is None else [at]
    mark = marks.get(f"{settings.name} {settings.timezone} {expression}")
    return ScheduleRow(
        function=settings.name, schedule=expression, timezone=settings.timezone, policy=settings.missed,
        next=times[0] if times else None, following=tuple(times[1:]), settled=None if mark is None else mark.due,
        missed=0 if mark is None else mark.missed,
    )  # fmt: skip


async def put(journal: Calls, write: Revive | Delete) -> Result:
    told: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
    journal.write(write, lambda result: None if told.done() else told.set_result(result))
    return await told


def settle(call: str, result: Result, otherwise: str) -> None:
    """
    Raises:
        NotFound, Conflict: it was not as it had to be.
        StateUnavailable: the journal could not write it.
    """
    match result:
        case Unwritten(error=error):
            raise error
        case Gone(call=None):
            raise unknown(call)
        case Gone(call=AsyncCall() as known):
            raise Conflict(f"call {call} {otherwise}: it is {known.state.value}", f"attacca call show {call}")
        case _:
            pass


def unknown(call: str) -> NotFound:
    return NotFound(f"no call is named {call[:64]!r}", "attacca call list shows those there are")
