"""The admin API on workflows: `/api/workflows`, and the upload of what event functions are made of."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Annotated

import msgspec
from litestar import delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.response import Stream

from attacca.control.http.api import CordonRequest
from attacca.control.http.document import SecondsBack, refusals
from attacca.errors import NotFound
from attacca.model.log import LogLine
from attacca.model.workflow import NodeView, WorkflowSpec, WorkflowView
from attacca.workflow.driver import Workflows

TheWorkflows = NamedDependency[Workflows]
Logs = Callable[[str, float | None, bool], AsyncIterator[LogLine]]  # of a function, since then, and whether to go on
TheLogs = NamedDependency[Logs]
NDJSON = "application/x-ndjson"


@get("/api/workflows", responses=refusals(), sync_to_thread=False)
def list_workflows(workflows: TheWorkflows) -> list[WorkflowView]:
    """In the order in which they were started."""
    return workflows.core.books.views()


@get("/api/workflows/{workflow:str}", responses=refusals(404), sync_to_thread=False)
def describe_workflow(workflow: FromPath[str], workflows: TheWorkflows) -> WorkflowView:
    """By its id, or by its name where only one has it."""
    return workflows.view(workflow)


@post("/api/workflows", status_code=201, responses=refusals(413, 422, 503))
async def start_workflow(data: JSONBody[WorkflowSpec], workflows: TheWorkflows) -> WorkflowView:
    """Answers when all of it is up. Code is uploaded before, with `POST /api/code`."""
    return await workflows.start(data)


@delete("/api/workflows/{workflow:str}", status_code=204, responses=refusals(404))
async def stop_workflow(workflow: FromPath[str], workflows: TheWorkflows) -> None:
    """Answers when nothing of it is left."""
    await workflows.stop(workflow)


class MigrateRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`component`: all of them when unset. `to`: nodes; the first that can have it."""

    to: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=100)]
    component: str = ""


@post("/api/workflows/{workflow:str}/migrate", status_code=200, responses=refusals(404, 409, 413, 503))
async def migrate_workflow(
    workflow: FromPath[str], data: JSONBody[MigrateRequest], workflows: TheWorkflows
) -> WorkflowView:
    """Answers when what moves is up again. It keeps its state, and nothing that is sent to it is lost."""
    return await workflows.migrate(workflow, data.component, data.to)


@get("/api/workflows/{workflow:str}/logs", media_type=NDJSON, responses=refusals(404))
async def read_workflow_logs(
    workflow: FromPath[str],
    workflows: TheWorkflows,
    logs: TheLogs,
    component: FromQuery[str | None] = None,
    since: SecondsBack = None,
    follow: Annotated[bool, QueryParameter(description="go on with what is written from now on")] = False,  # noqa: FBT002 - named in a query
) -> Stream:
    """One JSON object per line: what its event functions wrote, and what its resources could not do."""
    view = workflows.core.view(workflow)
    names = [one.name for one in view.spec.components]
    if component is not None and component not in names:
        raise NotFound(f"{view.name} has no component {component[:80]!r}", f"it has {', '.join(names)}")
    sources = [logs(f"{view.id}.{name}", since, follow) for name in names if component in (None, name)]
    return Stream(lines(sources, follow=follow), media_type=NDJSON)


async def lines(sources: list[AsyncIterator[LogLine]], *, follow: bool) -> AsyncIterator[bytes]:
    """What is there is put in order; what comes is told as it comes, until all of them have ended."""
    if not follow:
        known = [line for source in sources async for line in source]
        for line in sorted(known, key=lambda one: one.at):
            yield msgspec.json.encode(line) + b"\n"
        return
    queue: asyncio.Queue[LogLine | None] = asyncio.Queue(100)

    async def pump(source: AsyncIterator[LogLine]) -> None:
        async for line in source:
            await queue.put(line)
        await queue.put(None)

    tasks = [asyncio.create_task(pump(source)) for source in sources]
    left = len(tasks)
    try:
        while left:
            told = await queue.get()
            if told is None:
                left -= 1
            else:
                yield msgspec.json.encode(told) + b"\n"
    finally:
        for task in tasks:
            task.cancel()


@get("/api/nodes", responses=refusals(), sync_to_thread=False)
def list_nodes(workflows: TheWorkflows) -> list[NodeView]:
    """By name: workers, as workflows see them."""
    return workflows.core.nodes.views()


@get("/api/nodes/{name:str}", responses=refusals(404), sync_to_thread=False)
def describe_node(name: FromPath[str], workflows: TheWorkflows) -> NodeView:
    return workflows.core.nodes.view(name)


@post("/api/nodes/{name:str}/cordon", status_code=200, responses=refusals(404, 413))
async def cordon_node(name: FromPath[str], data: JSONBody[CordonRequest], workflows: TheWorkflows) -> dict[str, bool]:
    """A worker, or a node that speaks another language."""
    await workflows.cordon(name, data.on)
    return {"cordoned": data.on}


HANDLERS = [
    list_nodes, describe_node, cordon_node, list_workflows, describe_workflow, start_workflow, stop_workflow,
    migrate_workflow, read_workflow_logs,
]  # fmt: skip
