"""The nodes of a domain: workers, what they can hold, and what of it is taken."""

from collections.abc import Iterable

from attacca.model.resources import NOTHING, Resources, total
from attacca.model.sandbox import WorkerView
from attacca.model.workflow import Component


class Node:
    """A `policy.placement.types.Worker`."""

    __slots__ = ("address", "capacity", "is_cordoned", "name", "ours", "reserved")

    def __init__(self, view: WorkerView, address: str) -> None:
        self.address = address
        self.name = view.name
        self.capacity = view.capacity
        self.ours: dict[str, Resources] = {}  # by instance that was placed there
        self.reserved: Resources = NOTHING
        self.is_cordoned = view.draining

    def __repr__(self) -> str:
        return f"<Node {self.name}: {len(self.ours)} instances{', cordoned' * self.is_cordoned}>"


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

    def leave(self, name: str) -> Node | None:
        return self.by_name.pop(name, None)

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

    def unready(self, name: str, component: Component, asked: Iterable[Resources]) -> str:
        """Why it cannot have it now; empty: it can. `asked`: by all that is to go there at once."""
        node = self.by_name.get(name)
        if node is None:
            return "there is no such node"
        if self._is_unfit(node, component):
            return f"it does not fit {component.name}"
        if node.is_cordoned:
            return "it is cordoned"
        wanted = total(asked)
        if not (node.reserved + wanted).fits(node.capacity):
            return f"{wanted.memory_mb} MB are not free there"
        return ""

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
