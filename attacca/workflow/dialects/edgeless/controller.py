"""What a controller of EDGELESS is asked, carried out by a domain: one function for each of its calls.

Workflows, components and nodes are known to its tools by the UUIDs that `identities` makes of their names.
"""

import io
import tarfile
from collections.abc import Callable
from typing import IO

import msgspec

from attacca.control.deploy.reception import Upload
from attacca.control.driver import Control
from attacca.errors import (
    AttaccaError,
    BadFunction,
    BadRequest,
    Conflict,
    Draining,
    NoCapacity,
    NotFound,
    NotLeading,
    PayloadTooLarge,
    StateUnavailable,
    TooManyDeployments,
)
from attacca.model.function import Artefact
from attacca.model.workflow import WorkflowView
from attacca.workflow.core.identities import is_uuid, of_component, of_workflow
from attacca.workflow.core.state import DomainState
from attacca.workflow.dialects.edgeless.specs import (
    PYTHON,
    WASM,
    FunctionAsked,
    WorkflowAsked,
    described,
    expect_runnable,
    expect_whole,
    spec,
)
from attacca.workflow.driver import Workflows

FILES = {WASM: "function.wasm", PYTHON: "function.py"}
INVALID, FAILED, REJECTED = "Invalid workflow creation request", "Workflow creation failed", "Request rejected"
UNKNOWN, UNMOVED = "Unknown workflow id", "Migration rejected"
DETAIL_CHARACTERS = 4000


class Refused(Exception):
    """What is answered in place of a result: its tools show the summary."""

    def __init__(self, summary: str, detail: str) -> None:
        super().__init__(summary)
        self.summary, self.detail = summary, detail[:DETAIL_CHARACTERS]


class Mapped(msgspec.Struct, frozen=True):
    """A workflow as it runs: of each component its logical id. All are in one domain."""

    workflow: str
    components: tuple[tuple[str, str], ...]
    domain: str


class Capabilities(msgspec.Struct, frozen=True):
    """Of a domain, all its nodes together."""

    nodes: int
    cpus: int
    memory_mb: int
    labels: tuple[str, ...]
    runtimes: tuple[str, ...]
    providers: tuple[str, ...]
    classes: tuple[str, ...]


class Controller:
    """`control` raises where another leads; `workflows` are beside it."""

    def __init__(self, control: Callable[[], Control]) -> None:
        self._control = control

    def _workflows(self) -> Workflows:
        beside = self._control().beside
        assert isinstance(beside, Workflows)
        return beside

    def _state(self) -> DomainState:
        return self._workflows().delegation.state()

    async def start(self, asked: WorkflowAsked) -> Mapped:
        """Until all of it is up.

        Raises:
            Refused: it is no workflow, or none that can run here.
            AttaccaError: nothing can be started now.
        """
        try:
            expect_whole(asked)
        except BadRequest as error:
            raise Refused(INVALID, error.message) from None
        state = self._state()
        self._expect_classes(asked, state)
        try:
            code = {one.name: await self._kept(one) for one in asked.functions}
            nodes = {node.id: node.name for node in state.nodes}
            made = spec(asked, code, nodes, {one.name: one.resource for one in state.providers})
            view = await self._workflows().start(made)
        except (NotLeading, StateUnavailable, TooManyDeployments, Draining):
            raise
        except AttaccaError as error:
            raise Refused(REJECTED, _told(error)) from None
        return self._mapped(view)

    def _expect_classes(self, asked: WorkflowAsked, state: DomainState) -> None:
        if not state.nodes:
            raise Refused(FAILED, "there is no node")
        classes = {one.resource for one in state.providers}
        for resource in asked.resources:
            if resource.class_type not in classes:
                raise Refused(FAILED, f"no node has resources of the class {resource.class_type[:80]!r}")
        for function in asked.functions:
            try:
                expect_runnable(function)
            except AttaccaError as error:
                raise Refused(FAILED, error.message) from None

    async def _kept(self, asked: FunctionAsked) -> Artefact:
        upload = Upload(_packed(FILES[asked.function_type], asked.binary))
        try:
            return await self._control().uploads.keep(upload)
        except (BadFunction, BadRequest, PayloadTooLarge) as error:
            raise Refused(REJECTED, f"{asked.name}: {_told(error)}") from None

    async def stop(self, workflow: str) -> None:
        """Until nothing of it is left; of one that is not there nothing is.

        Raises:
            BadRequest: it is no UUID.
        """
        if not is_uuid(workflow):
            raise BadRequest(f"Internal error when stopping a workflow: {workflow[:80]!r} is no UUID", "")
        found = self._found(workflow)
        if found is not None:
            await self._workflows().stop(found.id)

    async def migrate(self, workflow: str, to: str, component: str) -> Mapped:
        """To a node, by its name or its UUID; all of the workflow is in the domain already.

        Raises:
            Refused: there is no such workflow, component, domain or node, or it cannot move now.
        """
        found, state = self._found(workflow), self._state()
        if found is None:
            raise Refused(UNKNOWN, workflow[:80])
        node = state.node(to)
        if to == state.domain and node is None:
            if component:
                raise Refused(UNMOVED, f"{component[:80]!r} is in the domain {to!r} already")
            return self._mapped(found)
        if node is None:
            raise Refused(UNMOVED, f"there is neither a domain nor a node {to[:80]!r}")
        try:
            return self._mapped(await self._workflows().migrate(found.id, component, (node.name,)))
        except (NotFound, Conflict, NoCapacity) as error:
            raise Refused(UNMOVED, _told(error)) from None

    def cast(self, function: str, payload: str) -> None:
        """An event for an instance, by its physical id. Where it came from is told as the instance itself.

        Raises:
            NotFound: there is none.
        """
        there = [one for part in self._state().components for one in part.instances]
        found = next((one.name for one in there if one.id == function.lower()), None)
        if found is None:
            raise NotFound(f"there is no instance {function[:80]!r}", "")
        self._workflows().cast(found, payload.encode())

    def list(self) -> list[str]:
        return [of_workflow(name) for name in self._workflows().core.workflows]

    def inspect(self, workflow: str) -> tuple[WorkflowAsked, Mapped]:
        """
        Raises:
            NotFound: there is none.
        """
        found = self._found(workflow)
        if found is None:
            raise NotFound(f"Unknown workflow identifier '{workflow[:80]}'", "")
        return described(found.spec), self._mapped(found)

    def domains(self, domain: str) -> dict[str, Capabilities]:
        """All, or the one of that name if there is one."""
        state = self._state()
        if domain not in ("", state.domain):
            return {}
        labels = sorted({label for node in state.nodes for label in node.labels})
        capabilities = Capabilities(
            len(state.nodes), sum(node.cores for node in state.nodes), sum(node.memory_mb for node in state.nodes),
            tuple(labels), (PYTHON, WASM), tuple(one.name for one in state.providers),
            tuple(sorted({one.resource for one in state.providers})),
        )  # fmt: skip
        return {state.domain: capabilities}

    def _found(self, workflow: str) -> WorkflowView | None:
        known = self._workflows().core.workflows
        name = next((name for name in known if of_workflow(name) == workflow.lower()), None)
        return None if name is None else known[name].view()

    def _mapped(self, view: WorkflowView) -> Mapped:
        components = tuple((one.name, of_component(view.id, one.name)) for one in view.spec.components)
        return Mapped(of_workflow(view.id), components, self._state().domain)


def _told(error: AttaccaError) -> str:
    return error.message + (f" ({error.hint})" if error.hint else "")


def _packed(name: str, code: bytes) -> IO[bytes]:
    """As `attacca workflow start` sends it."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(code)
        archive.addfile(entry, io.BytesIO(code))
    file.seek(0)
    return file
