"""What a federation has: its domains, its workflows, and the shares of those that are in several domains."""

from attacca.errors import Conflict, NotFound
from attacca.federation.core.hosted import Domain, Stage, Workflow
from attacca.model.events import REPLICA
from attacca.model.federation import DomainView, Hosted, Portals
from attacca.model.workflow import WorkflowView
from attacca.workflow.core.graph import share_of

LISTED = "attacca domain list shows which there are, and what they have"


class Known:
    def __init__(self) -> None:
        self.workflows: dict[str, Workflow] = {}
        self.domains: dict[str, Domain] = {}

    def __repr__(self) -> str:
        up = sum(one.stage is Stage.UP for one in self.workflows.values())
        here = sum(one.is_here for one in self.domains.values())
        return f"<Known {up} of {len(self.workflows)} workflows up, {here} of {len(self.domains)} domains here>"

    def expect(self, name: str) -> Workflow:
        """
        Raises:
            NotFound: there is none of that id or name, or there are several.
        """
        found = self.workflows.get(name)
        if found is not None:
            return found
        named = [one for one in self.workflows.values() if one.spec.name == name and not one.component]
        if len(named) == 1:
            return named[0]
        what = f"there are {len(named)} workflows {name!r}" if named else f"there is no workflow {name[:80]!r}"
        raise NotFound(what, "attacca workflow list has their ids")

    def expect_domain(self, name: str) -> Domain:
        """
        Raises:
            NotFound: none of that name has ever joined.
        """
        domain = self.domains.get(name)
        if domain is None:
            raise NotFound(f"there is no domain {name[:80]!r}", LISTED)
        return domain

    def views(self) -> list[WorkflowView]:
        """In the order in which they were started."""
        return [self.view(workflow) for workflow in self.workflows.values() if not workflow.component]

    def view(self, workflow: Workflow) -> WorkflowView:
        """Of the whole that it is, or is a share of."""
        root = self.workflows.get(workflow.root, workflow)
        return root.view(self.shares(root))

    def domain(self, name: str) -> DomainView:
        """
        Raises:
            NotFound: none of that name has ever joined.
        """
        domain = self.expect_domain(name)
        return domain.view(tuple(one.id for one in self.workflows.values() if one.domain == name))

    def digests(self) -> set[str]:
        """Of the code that is needed."""
        parts = [part.artefact for one in self.workflows.values() for part in one.spec.components]
        return {digest for artefact in parts if artefact is not None for digest in artefact.digests}

    def portals(self) -> Portals:
        """Of all domains that have one."""
        return Portals({one.name: one.summary.portal for one in self.domains.values() if one.summary.portal})

    def is_current(self, domain: str, name: str, epoch: int) -> bool:
        workflow = self.workflows.get(name)
        return workflow is not None and workflow.domain == domain and workflow.epoch == epoch

    # Shares.

    def shares(self, root: Workflow) -> list[Workflow]:
        return [self.workflows[share_of(root.id, name)] for name in root.away]

    def family(self, workflow: Workflow) -> list[Workflow]:
        """All that is left of the whole."""
        root = self.workflows.get(workflow.root)
        if root is not None:
            return [root, *self.shares(root)]
        return [one for one in self.workflows.values() if one.root == workflow.root]

    def part(self, workflow: Workflow, component: str) -> Workflow:
        """What is to move, with that component: its share, which is made where it is none yet.

        Raises:
            NotFound: there is no such component.
            Conflict: nothing would be left behind, or the whole is not up.
        """
        if not component:
            return workflow
        names = [one.name for one in workflow.spec.components]
        if component not in names:
            raise NotFound(f"{workflow.spec.name} has no component {component[:80]!r}", f"it has {', '.join(names)}")
        if component in workflow.away:
            return self.workflows[share_of(workflow.id, component)]
        if len(workflow.own) == 1:
            raise Conflict(f"{component} is all that is left of {workflow.spec.name}", "leave the component out")
        if workflow.stage is not Stage.UP:
            raise Conflict(f"{workflow.spec.name} is {workflow.stage}", "try again in a moment")
        share = Workflow(share_of(workflow.id, component), workflow.spec, workflow.started_at)
        share.domain, share.epoch, share.stage, share.why = workflow.domain, workflow.epoch, Stage.UP, workflow.why
        share.rows = tuple(row for row in workflow.rows if row.component.partition(REPLICA)[0] == component)
        return share

    def add(self, share: Workflow) -> None:
        self.workflows[share.id] = share
        self.workflows[share.root].away[share.component] = None

    def remove(self, workflow: Workflow) -> None:
        del self.workflows[workflow.id]
        root = self.workflows.get(workflow.root)
        if root is not None:
            root.away.pop(workflow.component, None)

    def unfolded(self, told: tuple[Hosted, ...]) -> list[Hosted]:
        """What a domain has, with those shares named that it has as a part of the whole still."""
        found = list(told)
        for one in told:
            root = self.workflows.get(one.workflow)
            shares = [] if root is None or root.component else self.shares(root)
            found += [
                Hosted(share.id, one.epoch, one.is_up, is_ending=one.is_ending)
                for share in shares
                if not one.components or share.component in one.components
            ]
        return found
