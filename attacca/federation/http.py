"""The admin API of a federation: `/api/workflows` as a domain has it, and `/api/domains`."""

from litestar import delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.response import Redirect

from attacca.control.http.document import refusals
from attacca.errors import NotFound
from attacca.federation.driver import Federation
from attacca.model.federation import DomainView
from attacca.model.workflow import WorkflowSpec, WorkflowView
from attacca.workflow.http import MigrateRequest

TheFederation = NamedDependency[Federation]


@get("/api/workflows", responses=refusals(), sync_to_thread=False)
def list_workflows(federation: TheFederation) -> list[WorkflowView]:
    """In the order in which they were started."""
    return federation.core.known.views()


@get("/api/workflows/{workflow:str}", responses=refusals(404), sync_to_thread=False)
def describe_workflow(workflow: FromPath[str], federation: TheFederation) -> WorkflowView:
    """By its id, or by its name where only one has it. Its instances are as its domain has told of them last."""
    return federation.view(workflow)


@post("/api/workflows", status_code=201, responses=refusals(413, 422, 503))
async def start_workflow(data: JSONBody[WorkflowSpec], federation: TheFederation) -> WorkflowView:
    """Answers when all of it is up in a domain, or it is parked, as no domain can have it now."""
    return await federation.start(data)


@delete("/api/workflows/{workflow:str}", status_code=204, responses=refusals(404))
async def stop_workflow(workflow: FromPath[str], federation: TheFederation) -> None:
    """Answers when nothing of it is left."""
    await federation.stop(workflow)


@post("/api/workflows/{workflow:str}/migrate", status_code=200, responses=refusals(404, 409, 413, 503))
async def migrate_workflow(
    workflow: FromPath[str], data: JSONBody[MigrateRequest], federation: TheFederation
) -> WorkflowView:
    """`to`: domains, for the component, or for all that is with the whole. Answers when it is up again, with its state
    and all that waited."""
    return await federation.migrate(workflow, data.to, data.component)


@get("/api/workflows/{workflow:str}/logs", responses=refusals(404), sync_to_thread=False)
def read_workflow_logs(workflow: FromPath[str], federation: TheFederation) -> Redirect:
    """They are in its domain, to which whoever asks is sent."""
    view = federation.view(workflow)
    domain = federation.core.domains.get(view.domain)
    if domain is None or not domain.summary.url:
        raise NotFound(f"{view.name} is in no domain whose logs can be read", "attacca workflow inspect says why")
    return Redirect(f"{domain.summary.url}/api/workflows/{view.id}/logs", status_code=307)


@get("/api/domains", responses=refusals(), sync_to_thread=False)
def list_domains(federation: TheFederation) -> list[DomainView]:
    """By name: all that have joined since this began, and those that have a workflow."""
    return federation.domains()


@get("/api/domains/{name:str}", responses=refusals(404), sync_to_thread=False)
def describe_domain(name: FromPath[str], federation: TheFederation) -> DomainView:
    return federation.core.known.domain(name)


HANDLERS = [
    list_domains, describe_domain, list_workflows, describe_workflow, start_workflow, stop_workflow, migrate_workflow,
    read_workflow_logs,
]  # fmt: skip
