"""Whose words are not taken here: instances that others have followed, because their worker was given up.

NodeGone ──▶ nothing of that worker is taken ──▶ NodeBack ──▶ nothing of the instances that it had then
"""

from collections.abc import Iterable

NODES_MOST, REPLACED_MOST = 100, 20_000  # of those that were given up last


class Fences:
    def __init__(self) -> None:
        self.nodes: dict[str, None] = {}
        self.replaced: dict[str, None] = {}  # instances

    def __repr__(self) -> str:
        return f"<Fences {len(self.nodes)} workers, {len(self.replaced)} instances>"

    def give_up(self, worker: str) -> str:
        """The answer is one that was given up so long ago that nothing more is remembered of it."""
        self.nodes[worker] = None
        if len(self.nodes) <= NODES_MOST:
            return ""
        oldest = next(iter(self.nodes))
        del self.nodes[oldest]
        return oldest

    def back(self, worker: str, replaced: Iterable[str]) -> None:
        self.nodes.pop(worker, None)
        for name in replaced:
            self.replaced[name] = None
        while len(self.replaced) > REPLACED_MOST:
            del self.replaced[next(iter(self.replaced))]

    def refuses(self, worker: str, instance: str) -> bool:
        return worker in self.nodes or instance in self.replaced
