"""What a domain has: its workflows, its nodes, and who is whose instance."""

from collections.abc import Iterator

from attacca.errors import NotFound
from attacca.model.workflow import WorkflowView
from attacca.workflow.core.graph import Part, Spare, Stage, Workflow
from attacca.workflow.core.nodes import Nodes


class Books:
    def __init__(self) -> None:
        self.workflows: dict[str, Workflow] = {}
        self.nodes = Nodes()
        self.parts: dict[str, Part] = {}  # by instance that is there, or on its way
        self.spares: dict[str, Part] = {}  # by instance that stands by, or is to

    def __repr__(self) -> str:
        up = sum(part.stage is Stage.UP for part in self.all())
        return f"<Books {len(self.workflows)} workflows, {up} of {len(list(self.all()))} up, {self.nodes!r}>"

    def all(self) -> Iterator[Part]:
        for workflow in self.workflows.values():
            yield from workflow.parts.values()

    def part(self, instance: str, worker: str) -> Part | None:
        """Whose that instance is, if it is there that it is to run: of two that have a name, the other is none."""
        part = self.parts.get(instance)
        return part if part is not None and part.worker == worker else None

    def spared(self, instance: str, worker: str) -> tuple[Part, Spare] | None:
        """For whom it stands by."""
        part = self.spares.get(instance)
        spare = None if part is None else part.spare
        return None if part is None or spare is None or spare.worker != worker else (part, spare)

    def in_place(self, place: str) -> Part | None:
        workflow, _, label = place.partition(".")
        known = self.workflows.get(workflow)
        return None if known is None else known.parts.get(label)

    def replicas(self, component: str) -> list[Part]:
        """Of WORKFLOW.COMPONENT."""
        workflow, _, name = component.partition(".")
        known = self.workflows.get(workflow)
        return [] if known is None else known.replicas.get(name, [])

    def expect(self, name: str) -> Workflow:
        """By its id, or by its name where only one has it.

        Raises:
            NotFound: there is none, or there are several.
        """
        found = self.workflows.get(name)
        if found is not None:
            return found
        named = [one for one in self.workflows.values() if one.spec.name == name]
        if len(named) == 1:
            return named[0]
        what = f"there are {len(named)} workflows {name!r}" if named else f"there is no workflow {name[:80]!r}"
        raise NotFound(what, "attacca workflow list has their ids")

    def views(self) -> list[WorkflowView]:
        """In the order in which they were started."""
        return [workflow.view() for workflow in self.workflows.values()]

    def names(self) -> frozenset[str]:
        """Of components, as what they write into the log is kept by."""
        return frozenset(part.revision.function for part in self.all())

    def digests(self) -> set[str]:
        """Of the code that is needed."""
        artefacts = [part.spec.artefact for part in self.all()]
        return {digest for artefact in artefacts if artefact is not None for digest in artefact.digests}
