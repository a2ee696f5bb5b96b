"""The admin API for those who orchestrate from outside: `/api/domain/...`."""

from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from litestar import get, post
from litestar.params import JSONBody, QueryParameter
from litestar.response import Stream

from attacca.control.http.document import refusals
from attacca.workflow.core.identities import of_instance
from attacca.workflow.core.intents import IntentsRequest, Verdict
from attacca.workflow.core.state import DomainState
from attacca.workflow.delegation import Delegation
from attacca.workflow.http import NDJSON, TheWorkflows
from attacca.workflow.mirror.reflection import METRICS


@get("/api/domain/state", responses=refusals(), sync_to_thread=False)
def show_domain(workflows: TheWorkflows) -> DomainState:
    """Its nodes, what resources they can host, and where each component runs."""
    return workflows.delegation.state()


@get("/api/domain/changes", media_type=NDJSON, responses=refusals(), sync_to_thread=False)
def show_changes(
    workflows: TheWorkflows,
    follow: Annotated[bool, QueryParameter(description="go on with what changes from now on")] = False,  # noqa: FBT002 - named in a query
) -> Stream:
    """One JSON object per line: all rows that there are, and then each as it changes, until whoever asked goes."""
    return Stream(_lines(workflows.delegation, follow=follow), media_type=NDJSON)


async def _lines(delegation: Delegation, *, follow: bool) -> AsyncIterator[bytes]:
    async for told in delegation.changes(follow=follow):
        yield b"".join(msgspec.json.encode(change) + b"\n" for change in told)


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
