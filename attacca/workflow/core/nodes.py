"""The nodes of a domain: workers, what they can hold, and what of it is taken."""

from collections.abc import Iterable

from attacca.errors import NotFound
from attacca.model.machine import Machine
from attacca.model.resources import NOTHING, Resources, total
from attacca.model.sandbox import WorkerView
from attacca.model.workflow import Component, NodeView
from attacca.workflow.core.graph import Part
from attacca.workflow.core.requirements import too_far, unfit

LISTED = "attacca node list shows which there are, and what they have"
GONE_MOST = 100
SAID = 5  # nodes, with why they do not fit


class Node:
    """A `policy.placement.types.Worker`."""

    __slots__ = ("address", "capacity", "is_cordoned", "machine", "name", "ours", "reserved")

    def __init__(self, view: WorkerView, address: str, machine: Machine | None) -> None:
        self.address = address
        self.name = view.name
        self.capacity = view.capacity
        self.machine = machine or Machine(processors=view.cores, cores=view.cores)
        self.ours: dict[str, Resources] = {}  # by instance that was placed there
        self.reserved: Resources = NOTHING
        self.is_cordoned = view.draining

    def __repr__(self) -> str:
        return f"<Node {self.name}: {len(self.ours)} instances{', cordoned' * self.is_cordoned}>"

    def view(self) -> NodeView:
        instances = tuple(name for name in self.ours if name.rpartition(".")[2].isdigit())
        memory_mb, reserved_mb = self.capacity.memory_mb, self.reserved.memory_mb
        return NodeView(self.name, self.is_cordoned, memory_mb, reserved_mb, instances, self.machine)


class Nodes:
    def __init__(self) -> None:
        self.by_name: dict[str, Node] = {}
        self.machines: dict[str, Machine] = {}
        self.gone: dict[str, None] = {}  # the last of those that were given up: who joins has not heard of it
        self.back: dict[str, None] = {}  # of these, who has come back, and has not said yet what it has

    def __repr__(self) -> str:
        return f"<Nodes {len(self.by_name)}>"

    def all(self) -> list[Node]:
        return list(self.by_name.values())

    def join(self, view: WorkerView, address: str, machine: Machine | None = None) -> None:
        node = self.by_name[view.name] = Node(view, address, machine)
        self.machines[view.name] = node.machine
        if view.name in self.gone:
            del self.gone[view.name]
            self.back[view.name] = None

    def address(self, name: str) -> str:
        node = self.by_name.get(name)
        return "" if node is None else node.address

    def see(self, view: WorkerView) -> None:
        node = self.by_name.get(view.name)
        if node is not None:
            node.is_cordoned = view.draining

    def view(self, name: str) -> NodeView:
        """
        Raises:
            NotFound: there is none.
        """
        node = self.by_name.get(name)
        if node is None:
            raise NotFound(f"there is no node {name[:80]!r}", LISTED)
        return node.view()

    def views(self) -> list[NodeView]:
        return [self.by_name[name].view() for name in sorted(self.by_name)]

    def miss(self, name: str) -> None:
        self.gone[name] = None
        self.back.pop(name, None)
        if len(self.gone) > GONE_MOST:
            del self.gone[next(iter(self.gone))]

    def leave(self, name: str) -> Node | None:
        self.machines.pop(name, None)
        node = self.by_name.pop(name, None)
        if node is not None:
            self.miss(name)
        return node

    def reserve(self, name: str, instance: str, asked: Resources) -> None:
        """Also for one that is to come, under the name of its place."""
        node = self.by_name.get(name)
        if node is not None:
            assert instance not in node.ours, "it is counted once"
            node.ours[instance] = asked
            node.reserved += asked

    def free(self, name: str, instance: str) -> None:
        node = self.by_name.get(name)
        asked = None if node is None else node.ours.pop(instance, None)
        if node is not None and asked is not None:
            node.reserved -= asked

    def unready(self, name: str, part: Part, asked: Iterable[Resources]) -> str:
        """Why it cannot have it now; empty: it can. `asked`: by all that is to go there at once."""
        node = self.by_name.get(name)
        if node is None:
            return "there is no such node"
        why = self._unfit(node, part.spec, part.asked) or self._too_far(name, part)
        if why:
            return why
        if node.is_cordoned:
            return "it is cordoned"
        wanted = total(asked)
        if not (node.reserved + wanted).fits(node.capacity):
            return f"{wanted.memory_mb} MB are not free there"
        return ""

    def unfit(self, component: Component, asked: Resources) -> str:
        """Why no node could ever have it; empty: one could."""
        whys = {name: self._unfit(node, component, asked) for name, node in self.by_name.items()}
        if not whys:
            return "there is no node"
        if not all(whys.values()):
            return ""
        said = [f"{name}: {why}" for name, why in whys.items()]
        return "; ".join([*said[:SAID], *([f"and {len(said) - SAID} more"] if len(said) > SAID else [])])

    def closed(self, part: Part) -> list[str]:
        """Those that cannot have it as it is now, whatever room they have."""
        return [
            name
            for name, node in self.by_name.items()
            if self._unfit(node, part.spec, part.asked) or self._too_far(name, part)
        ]

    def _unfit(self, node: Node, component: Component, asked: Resources) -> str:
        return unfit(node.name, node.machine, node.capacity, component, asked)

    def _too_far(self, name: str, part: Part) -> str:
        near = part.spec.requires.near
        if not near:
            return ""
        replicas = part.workflow.replicas
        where = {
            other: [at for one in replicas.get(other, ()) if (at := one.worker or one.wanted_at)] for other in near
        }
        return too_far(part.spec, name, self.machines, where)
