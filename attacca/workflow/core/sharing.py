"""A workflow that is in several domains: each has a share of it, and knows where the rest is.

    one component is to leave ──▶ it is a share of its own ──▶ ends here, as all that is handed over ──▶ another domain
    a share begins here ──▶ Seek ──▶ Located ──▶ Patch to whoever sends there
                        └──▶ Located to the portals of all others, and whenever an instance comes, moves or goes

What was passed to a domain that was given up is sent again to whoever has the place now.
"""

from attacca.kernel.ids import Ids
from attacca.model.events import REPLICA, NodeGone, number, place
from attacca.model.federation import Located, Seek
from attacca.model.messages import Send
from attacca.workflow.core.books import Books
from attacca.workflow.core.events import Announce, Command, FarSaid, PortalOpened, StartAsked
from attacca.workflow.core.graph import Workflow, whole
from attacca.workflow.core.keeping import EPOCH_NUMBERS, Keeping
from attacca.workflow.core.placing import Placing


class Sharing:
    def __init__(self, books: Books, placing: Placing, keeping: Keeping, ids: Ids) -> None:
        self._books, self._placing, self._keeping, self._ids = books, placing, keeping, ids

    def __repr__(self) -> str:
        scattered = sum(one.is_scattered for one in self._books.workflows.values())
        return f"<Sharing {scattered} shares, {self._books.far!r}>"

    def made(self, now: float, event: StartAsked) -> Workflow:
        workflow = Workflow(event.workflow or self._ids.next(), event.spec, event.at, now, event.components)
        workflow.epoch, workflow.lost = event.epoch, event.lost
        return workflow

    def begin(self, workflow: Workflow, out: list[Command]) -> None:
        """It is here from now on, and is nowhere else."""
        if not workflow.epoch:
            return
        for part in workflow.parts.values():
            self._books.far.take(part.place)
        if workflow.is_scattered:
            self._placing.moved(workflow.root, list(workflow.replicas), out)
            self._placing.locate(workflow.parts.values(), out)
            out.append(Announce(Seek(workflow.root)))
        if workflow.lost:
            for part in workflow.parts.values():
                self._recall(workflow.lost, part.place, out)

    def split(self, now: float, share: str, out: list[Command]) -> None:
        """If that names a component of a whole that is here, it is a share of its own from now on."""
        root = self.holder(share)
        if root is None or root.id == share:
            return
        made = self._books.workflows[share] = root.split(share.partition(REPLICA)[2], now)
        made.is_learning = root.is_learning
        if root.is_learning and all(part.instance for part in root.parts.values()):
            self._placing.learned(root, out)
        self._keeping.accept(made, out)
        self._keeping.accept(root, out)

    def holder(self, name: str) -> Workflow | None:
        """Of that share: the one that it is, or the whole of which it is a part still."""
        known = self._books.workflows.get(name)
        component = name.partition(REPLICA)[2]
        root = self._books.workflows.get(whole(name))
        return root if known is None and root is not None and component in root.replicas else known

    def end(self, workflow: Workflow) -> None:
        if workflow.is_scattered and not self._books.shares(workflow.root):
            self._books.far.forget(workflow.root)

    def hear(self, event: FarSaid | PortalOpened, out: list[Command]) -> None:
        if isinstance(event, PortalOpened):
            for workflow in self._books.workflows.values():
                self._placing.locate(workflow.parts.values(), out, event.domain)
        elif isinstance(event.message, Seek):
            for workflow in self._books.shares(event.message.workflow):
                self._placing.locate(workflow.parts.values(), out, event.domain)
        elif isinstance(event.message, Located):
            self._located(event.domain, event.message, out)

    def _located(self, domain: str, told: Located, out: list[Command]) -> None:
        component = told.label.partition(REPLICA)[0]
        is_ours = self._books.share(told.workflow, component) is not None
        if is_ours or not self._books.shares(told.workflow) or not self._books.far.learn(domain, told):
            return
        self._placing.moved(told.workflow, [component], out)
        if told.lost:
            self._recall(told.lost, f"{told.workflow}.{told.label}", out)

    def _recall(self, domain: str, where: str, out: list[Command]) -> None:
        out.extend(Send(name, NodeGone(f"{domain}/", where)) for name in self._books.nodes.by_name)

    def is_stale(self, instance: str) -> bool:
        """An instance of another domain: has another its place, of a later epoch?"""
        at = place(instance)
        part, far = self._books.in_place(at), self._books.far.by_place.get(at)
        epoch = part.workflow.epoch if part is not None else 0 if far is None else far.told.epoch
        return number(instance) < epoch * EPOCH_NUMBERS
