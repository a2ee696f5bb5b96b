"""The admin API on sandboxes that control has had made."""

from itertools import islice
from typing import Annotated

from litestar import get
from litestar.params import FromQuery, QueryParameter
from msgspec.structs import replace

from attacca.control.core.cluster.creations import Creation
from attacca.control.http.context import TheContext
from attacca.control.http.document import refusals


@get("/api/creations", responses=refusals(), sync_to_thread=False)
def list_creations(
    context: TheContext,
    function: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=10_000)] = 100,
) -> list[Creation]:
    """The latest first; `at` in seconds since 1970."""
    control = context.control
    offset_s = control.clock.wall() - control.clock.now()
    latest = reversed(control.core.cluster.creations.latest.values())
    wanted = (one for one in latest if function is None or one.function == function)
    return [replace(one, at=one.at + offset_s) for one in islice(wanted, limit)]


HANDLERS = [list_creations]
