"""What a domain has: its workflows, its nodes, and who is whose instance."""

from collections.abc import Iterable, Iterator

import msgspec

from attacca.errors import NotFound
from attacca.model.events import REPLICA, Route, Target
from attacca.model.workflow import WorkflowView
from attacca.workflow.core.far import Far
from attacca.workflow.core.graph import Part, Spare, Stage, Workflow, active_of, share_of
from attacca.workflow.core.nodes import Nodes


class Books:
    def __init__(self) -> None:
        self.workflows: dict[str, Workflow] = {}
        self.nodes = Nodes()
        self.far = Far()  # what of workflows here is in other domains
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
        root, _, label = place.partition(".")
        known = self.share(root, label.partition(REPLICA)[0])
        return None if known is None else known.parts.get(label)

    def replicas(self, component: str) -> list[Part]:
        """Of WORKFLOW.COMPONENT."""
        root, _, name = component.partition(".")
        known = self.share(root, name)
        return [] if known is None else known.replicas[name]

    # What is in several domains.

    def share(self, root: str, component: str) -> Workflow | None:
        """Of which it is here."""
        for name in (root, share_of(root, component)):
            known = self.workflows.get(name)
            if known is not None and component in known.replicas:
                return known
        return None

    def shares(self, root: str) -> list[Workflow]:
        """All of one workflow that there are here."""
        first = self.workflows.get(root)
        if first is not None and not first.is_scattered:
            return [first]
        return [one for one in self.workflows.values() if one.root == root]

    def leading_to(self, root: str, names: Iterable[str]) -> list[Part]:
        """Those parts that send to any of these components, in their order."""
        told = tuple(names)
        return [part for share in self.shares(root) for part in share.leading_to(told)]

    def routes(self, part: Part) -> tuple[Route, ...]:
        """Of one part. A target that is nowhere now is waited for."""
        routes = []
        for channel, output in part.spec.outputs.items():
            weights = output.weights or (1.0,) * len(output.to)
            targets = tuple(
                target
                for name, weight in zip(output.to, weights, strict=True)
                for target in self._targets(part.workflow, name, weight)
            )
            routes.append(Route(channel, targets, output.rule))
        return tuple(routes)

    def _targets(self, workflow: Workflow, component: str, weight: float) -> list[Target]:
        share = workflow if component in workflow.replicas else self.share(workflow.root, component)
        if share is not None:
            return [one.target(weight, self.nodes.address(one.worker)) for one in share.replicas[component]]
        spec = next(one for one in workflow.spec.components if one.name == component)
        labels = [component, *(f"{component}{REPLICA}{one}" for one in range(2, active_of(spec) + 1))]
        return [self.far.target(f"{workflow.root}.{label}", weight) for label in labels]

    def expect(self, name: str) -> Workflow:
        """By its id, or by its name where only one has it.

        Raises:
            NotFound: there is none, or there are several.
        """
        found = self.workflows.get(name)
        if found is not None:
            return found
        named = [one for one in self.workflows.values() if name in (one.spec.name, one.root)]
        if len({one.root for one in named}) == 1:
            return named[0]
        what = f"there are {len(named)} workflows {name!r}" if named else f"there is no workflow {name[:80]!r}"
        raise NotFound(what, "attacca workflow list has their ids")

    def views(self) -> list[WorkflowView]:
        """In the order in which they were started; what is here of one that is in several domains is one."""
        roots = dict.fromkeys(workflow.root for workflow in self.workflows.values())
        return [self.view(self.shares(root)) for root in roots]

    def view(self, shares: list[Workflow]) -> WorkflowView:
        """Of all that is here of one workflow."""
        told = shares[0].view()
        rows = tuple([row for share in shares for part in share.parts.values() for row in part.rows()])
        far = () if not shares[0].is_scattered else self.far.rows(shares[0].root)
        return msgspec.structs.replace(told, id=shares[0].root, instances=(*rows, *far))

    def names(self) -> frozenset[str]:
        """Of components, as what they write into the log is kept by."""
        return frozenset(part.revision.function for part in self.all())

    def digests(self) -> set[str]:
        """Of the code that is needed."""
        artefacts = [part.spec.artefact for part in self.all()]
        return {digest for artefact in artefacts if artefact is not None for digest in artefact.digests}
