"""The admin API for those who orchestrate from outside: `/api/domain/...`."""

from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from litestar import get, post
from litestar.openapi import ResponseSpec
from litestar.params import HeaderParameter, JSONBody, QueryParameter
from litestar.response import Stream

from attacca.control.http.document import refusals
from attacca.workflow.core.identities import of_instance
from attacca.workflow.core.intents import IntentsRequest, Verdict
from attacca.workflow.core.state import DomainState
from attacca.workflow.delegation import Delegation
from attacca.workflow.http import NDJSON, TheWorkflows
from attacca.workflow.mirror.reflection import METRICS

EVENTS = "text/event-stream"
LINES = ResponseSpec(bytes, generate_examples=False, description="a line for each row", media_type=NDJSON)


@get("/api/domain/state", responses=refusals(), sync_to_thread=False)
def show_domain(workflows: TheWorkflows) -> DomainState:
    """Its nodes, what resources they can host, and where each component runs."""
    return workflows.delegation.state()


@get("/api/domain/changes", responses={**refusals(), 200: LINES}, sync_to_thread=False)
def show_changes(
    workflows: TheWorkflows,
    follow: Annotated[bool, QueryParameter(description="go on with what changes from now on")] = False,  # noqa: FBT002 - named in a query
    accept: Annotated[str, HeaderParameter(name="accept", description="text/event-stream: as events")] = "",
    since: Annotated[str, HeaderParameter(name="last-event-id", description="of events: go on behind this one")] = "",
) -> Stream:
    """One JSON object per line: all rows that there are, and then each as it changes, until whoever asked goes. Or the
    same as server-sent events."""
    if EVENTS not in accept.lower():
        return Stream(_lines(workflows.delegation, follow=follow), media_type=NDJSON)
    told = _events(workflows.delegation, since, follow=follow)
    return Stream(told, media_type=EVENTS, headers={"cache-control": "no-cache"})


async def _lines(delegation: Delegation, *, follow: bool) -> AsyncIterator[bytes]:
    async for news in delegation.changes(follow=follow):
        yield b"".join(msgspec.json.encode(change) + b"\n" for change in news.changes)


async def _events(delegation: Delegation, since: str, *, follow: bool) -> AsyncIterator[bytes]:
    """The last of those that come at once has the id: whoever has not heard it is told all of them again."""
    async for news in delegation.changes(follow=follow, since=since):
        events = [b"event: all\ndata: {}"] if news.is_all else []
        events += [b"data: " + msgspec.json.encode(change) for change in news.changes]
        events[-1] += f"\nid: {news.id}".encode()
        yield b"\n\n".join([*events, b""])


class SampleRow(msgspec.Struct, frozen=True, kw_only=True):
    """How long something took. `id`: the physical UUID; `metric`: as EDGELESS calls it; `at`: seconds since 1970."""

    instance: str
    id: str
    metric: str
    at: float
    value: float


@get("/api/domain/samples", responses=refusals(), sync_to_thread=False)
def list_samples(workflows: TheWorkflows) -> list[SampleRow]:
    """The latest of each instance that is there, where its node takes samples, the oldest first."""
    return [
        SampleRow(instance=name, id=of_instance(name), metric=METRICS[one.measure], at=one.at, value=one.seconds)
        for name, samples in workflows.telemetry.recent.items()
        for one in samples
    ]


@post("/api/domain/intents", status_code=200, responses=refusals(413))
async def obey_intents(data: JSONBody[IntentsRequest], workflows: TheWorkflows) -> list[Verdict]:
    """One verdict for each, in their order, when all that can be done is. What is refused changes nothing."""
    if data.dry_run:
        return workflows.delegation.would(list(data.intents))
    return await workflows.delegation.obey(list(data.intents))


HANDLERS = [show_domain, show_changes, list_samples, obey_intents]
