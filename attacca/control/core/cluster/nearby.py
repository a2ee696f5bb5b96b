"""Where the code of functions that control scales lies already, for placement: kept as workers say what they have."""

from attacca.control.core.cluster.scaled import ScaledFunction
from attacca.policy.placement.types import Near

NONE: frozenset[str] = frozenset()


class Nearby:
    def __init__(self) -> None:
        self._stocks: dict[str, frozenset[str]] = {}  # by worker
        self._made_of: dict[str, dict[str, ScaledFunction]] = {}  # by digest, then by name

    def __repr__(self) -> str:
        return f"<Nearby {len(self._made_of)} digests on {len(self._stocks)} workers>"

    def adopt(self, function: ScaledFunction) -> None:
        """It is new, or has another revision."""
        for digest in function.revision.artefact.digests:
            self._made_of.setdefault(digest, {})[function.name] = function
        for worker, stock in self._stocks.items():
            _look(worker, stock, function)

    def drop(self, function: ScaledFunction) -> None:
        """It is gone, or about to have another revision."""
        for digest in function.revision.artefact.digests:
            of = self._made_of.get(digest, {})
            of.pop(function.name, None)
            if not of:
                self._made_of.pop(digest, None)

    def hear(self, worker: str, stock: frozenset[str]) -> None:
        before, self._stocks[worker] = self._stocks.get(worker, NONE), stock
        self._changed(worker, before, stock)

    def lose(self, worker: str) -> None:
        self._changed(worker, self._stocks.pop(worker, NONE), NONE)

    def _changed(self, worker: str, before: frozenset[str], stock: frozenset[str]) -> None:
        for digest in sorted(before ^ stock):
            for function in self._made_of.get(digest, {}).values():
                _look(worker, stock, function)


def _look(worker: str, stock: frozenset[str], function: ScaledFunction) -> None:
    """Who has a template has that also when the code has made room."""
    digests = function.revision.artefact.digests
    if digests and stock.issuperset(digests):
        function.near.setdefault(worker, Near.CODE)
    elif function.near.get(worker) is Near.CODE:
        del function.near[worker]
