"""Workers and functions on one ring of hashes: consistent hashing, for policies that keep a function's place."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from hashlib import blake2b

from attacca.policy.balancing.types import Worker


class Ring:
    """Every worker has `vnodes` places, every function one. The order of the workers given does not matter."""

    __slots__ = ("_begins", "_count", "_places", "_vnodes", "_workers")

    def __init__(self, vnodes: int) -> None:
        self._vnodes = vnodes
        self._places: list[int] = []
        self._workers: list[Worker] = []  # whose each place is
        self._begins: dict[str, int] = {}  # by function, as long as the workers stay the same
        self._count = 0

    def __repr__(self) -> str:
        return f"<Ring {self._count} workers, {len(self._places)} places, {len(self._begins)} functions>"

    def among(self, workers: Sequence[Worker]) -> None:
        numbers = range(self._vnodes)
        entries = [
            (place_of(f"{worker.name}/{number}"), worker.name, worker) for worker in workers for number in numbers
        ]
        entries.sort(key=_place_and_name)  # two at one place go by name
        self._places = [place for place, _, _ in entries]
        self._workers = [worker for _, _, worker in entries]
        self._count = len(workers)
        self._begins.clear()

    def home(self, function: str) -> Worker:
        """The first worker after the function's place. There must be one."""
        return self._workers[self._begin(function)]

    def after(self, function: str) -> Iterator[Worker]:
        """All workers, each once, in the order in which they come after the function's place."""
        begin, seen = self._begin(function), set[str]()
        for number in range(begin, begin + len(self._workers)):
            worker = self._workers[number % len(self._workers)]
            if worker.name not in seen:
                seen.add(worker.name)
                yield worker
                if len(seen) == self._count:
                    return

    def _begin(self, function: str) -> int:
        begin = self._begins.get(function)
        if begin is None:
            begin = self._begins[function] = bisect_right(self._places, place_of(function)) % len(self._places)
        return begin


def place_of(name: str) -> int:
    """The same in every process: Python's own hash of a text is not."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest())


def _place_and_name(entry: tuple[int, str, Worker]) -> tuple[int, str]:
    return entry[:2]
