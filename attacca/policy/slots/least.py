"""Whoever has least of something, without looking at all: what several policies stand on."""

from heapq import heapify, heappop, heappush

from attacca.policy.slots.types import Chosen, Sandbox

SPARE = 32


class Least:
    """A heap of keys as they were told of; an entry that is not so any more is dropped when its turn comes."""

    __slots__ = ("_heap", "_keys", "_why")

    def __init__(self, why: str) -> None:
        self._why = why
        self._keys: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._keys)}, {len(self._heap)} entries>"

    def __len__(self) -> int:
        return len(self._keys)

    def key(self, sandbox: Sandbox) -> float:
        raise NotImplementedError

    def add(self, sandbox: Sandbox) -> None:
        name, key = sandbox.id, self.key(sandbox)
        if self._keys.get(name) != key:
            self._keys[name] = key
            heappush(self._heap, (key, name))
            if len(self._heap) > 2 * len(self._keys) + SPARE:
                self._heap = [(known, who) for who, known in self._keys.items()]
                heapify(self._heap)

    def discard(self, sandbox: str) -> None:
        self._keys.pop(sandbox, None)

    def pick(self) -> Chosen:
        heap = self._heap
        while self._keys.get(heap[0][1]) != heap[0][0]:
            heappop(heap)
        return Chosen(heap[0][1], self._why)
