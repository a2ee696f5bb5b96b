"""The admin API for those who orchestrate from outside: `/api/domain/...`."""

from collections.abc import AsyncIterator

import msgspec
from litestar import get
from litestar.response import Stream

from attacca.control.http.document import refusals
from attacca.workflow.core.state import DomainState
from attacca.workflow.delegation import Delegation
from attacca.workflow.http import NDJSON, TheWorkflows


@get("/api/domain/state", responses=refusals(), sync_to_thread=False)
def show_domain(workflows: TheWorkflows) -> DomainState:
    """Its nodes, what resources they can host, and where each component runs."""
    return workflows.delegation.state()


@get("/api/domain/changes", media_type=NDJSON, responses=refusals(), sync_to_thread=False)
def follow_domain(workflows: TheWorkflows) -> Stream:
    """One JSON object per line, until whoever asked goes: first all rows that there are, then each as it changes."""
    return Stream(_lines(workflows.delegation), media_type=NDJSON)


async def _lines(delegation: Delegation) -> AsyncIterator[bytes]:
    async for told in delegation.changes():
        yield b"".join(msgspec.json.encode(change) + b"\n" for change in told)


HANDLERS = [show_domain, follow_domain]
