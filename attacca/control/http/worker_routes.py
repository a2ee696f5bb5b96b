"""The admin API on how busy the machines of workers have been."""

from litestar import get
from litestar.params import FromPath

from attacca.control.http.context import TheContext
from attacca.control.http.document import refusals
from attacca.model.sandbox import LoadSeen


@get("/api/workers/{name:str}/loads", responses=refusals(404))
async def list_loads(name: FromPath[str], context: TheContext) -> list[LoadSeen]:
    """The last minute, a look each second, the oldest first."""
    return list(await context.control.views.loads(name))


HANDLERS = [list_loads]
