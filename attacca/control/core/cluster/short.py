"""The functions for which there was no room, by what a sandbox of theirs needs: what one cannot have, none of its kind
can."""

from collections.abc import Iterator

from attacca.control.core.cluster.scaled import ScaledFunction
from attacca.model.machine import Needs
from attacca.model.resources import Resources

REST_S = 0.25  # after there was no room, and twice as long each time
REST_MOST_S, REST_FEW_S, FEW = 8.0, 1.0, 100  # at most, and where no more than so many have none

Kind = tuple[Resources, Needs]


class Short:
    """Of each kind they are in the order in which room was first wanted for them."""

    __slots__ = ("_kind_of", "_kinds")

    def __init__(self) -> None:
        self._kinds: dict[Kind, dict[str, ScaledFunction]] = {}
        self._kind_of: dict[str, Kind] = {}

    def __repr__(self) -> str:
        return f"<Short of room: {len(self._kind_of)} functions of {len(self._kinds)} kinds>"

    def __len__(self) -> int:
        return len(self._kind_of)

    def rest_s(self, before: float) -> float:
        """How long one rests that has found no room, after so long the last time."""
        return min(2 * before, REST_MOST_S if len(self) > FEW else REST_FEW_S) or REST_S

    def __contains__(self, name: str) -> bool:
        return name in self._kind_of

    def kinds(self) -> Iterator[list[ScaledFunction]]:
        """Each kind's functions. They may be added and removed meanwhile."""
        for kind in list(self._kinds):
            alike = self._kinds.get(kind)
            if alike:
                yield list(alike.values())

    def add(self, function: ScaledFunction) -> None:
        kind = function.revision.settings.resources, function.revision.needs
        if self._kind_of.get(function.name) != kind:
            self.remove(function.name)
            self._kind_of[function.name] = kind
            self._kinds.setdefault(kind, {})[function.name] = function

    def remove(self, name: str) -> None:
        kind = self._kind_of.pop(name, None)
        if kind is not None:
            alike = self._kinds[kind]
            del alike[name]
            if not alike:
                del self._kinds[kind]
