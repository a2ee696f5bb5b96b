"""The admin API on the laboratory's runs that lie on control's machine."""

import asyncio

from litestar import Response, get
from litestar.params import FromPath

from attacca.control.http.context import TheContext
from attacca.control.http.document import refusals
from attacca.control.runs import RunsView, RunView

# A report is a page that somebody has put there: it is kept, and never shown as one of this server's.
APART = {
    "content-disposition": "attachment",
    "content-security-policy": "sandbox; default-src 'none'",
    "x-content-type-options": "nosniff",
}


@get("/api/runs", responses=refusals())
async def list_runs(context: TheContext) -> RunsView:
    """The runs of the laboratory in `control.runs_dir`, and the reports that were written there."""
    return await asyncio.to_thread(context.control.runs.all)


@get("/api/runs/{name:path}", responses=refusals(404))
async def show_run(name: FromPath[str], context: TheContext) -> RunView:
    """One run: its scenario, and what came of it."""
    return await asyncio.to_thread(context.control.runs.one, name.strip("/"))


@get("/api/reports/{name:path}", responses=refusals(404), media_type="text/html")
async def send_report(name: FromPath[str], context: TheContext) -> Response[bytes]:
    """A report, to be kept as a file."""
    return Response(await asyncio.to_thread(context.control.runs.report, name.strip("/")), headers=APART)


HANDLERS = [list_runs, show_run, send_report]
