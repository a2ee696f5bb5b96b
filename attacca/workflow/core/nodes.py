"""The nodes of a domain: workers, what they can hold, and what of it is taken."""

from attacca.model.resources import NOTHING, Resources, total
from attacca.model.sandbox import WorkerView
from attacca.model.workflow import Component


class Node:
    """A `policy.placement.types.Worker`."""

    __slots__ = ("address", "capacity", "is_cordoned", "name", "ours", "reserved", "used")

    def __init__(self, view: WorkerView, address: str) -> None:
        self.address = address
        self.name = view.name
        self.capacity = view.capacity
        self.ours: dict[str, Resources] = {}  # by instance that was placed there
        self.reserved: Resources = NOTHING
        self.is_cordoned = view.draining

    def __repr__(self) -> str:
        return f"<Node {self.name}: {len(self.ours)} instances{', cordoned' * self.is_cordoned}>"

    def count(self) -> None:
        self.reserved = total(self.ours.values())


class Nodes:
    def __init__(self) -> None:
        self.by_name: dict[str, Node] = {}

    def __repr__(self) -> str:
        return f"<Nodes {len(self.by_name)}>"

    def all(self) -> list[Node]:
        return list(self.by_name.values())

    def join(self, view: WorkerView, address: str) -> None:
        self.by_name[view.name] = Node(view, address)

    def address(self, name: str) -> str:
        node = self.by_name.get(name)
        return "" if node is None else node.address

    def see(self, view: WorkerView) -> None:
        node = self.by_name.get(view.name)
        if node is not None:
            node.is_cordoned = view.draining

    def leave(self, name: str) -> None:
        self.by_name.pop(name, None)

    def reserve(self, name: str, instance: str, asked: Resources) -> None:
        node = self.by_name.get(name)
        if node is not None:
            node.ours[instance] = asked
            node.count()

    def free(self, name: str, instance: str) -> None:
        node = self.by_name.get(name)
        if node is not None and node.ours.pop(instance, None) is not None:
            node.count()

    def unfit(self, component: Component) -> str:
        """Why no node could ever have it; empty: one could."""
        if not self.by_name:
            return "there is no node"
        if all(self._is_unfit(node, component) for node in self.by_name.values()):
            names = ", ".join(component.requires.nodes)
            whose = f" is one of {names} and" if names else ""
            return f"none of {len(self.by_name)} nodes{whose} has {component.memory_mb} MB for it"
        return ""

    def unfit_names(self, component: Component) -> list[str]:
        return [name for name, node in self.by_name.items() if self._is_unfit(node, component)]

    def _is_unfit(self, node: Node, component: Component) -> bool:
        wanted = component.requires.nodes
        is_elsewhere = bool(wanted) and node.name not in wanted
        return is_elsewhere or not Resources(component.memory_mb).fits(node.capacity)
