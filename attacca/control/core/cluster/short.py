"""The functions for which there was no room, by what a sandbox of theirs needs: what one cannot have, none of its kind
can."""

from collections.abc import Iterator

from attacca.control.core.cluster.scaled import ScaledFunction
from attacca.model.machine import Needs
from attacca.model.resources import Resources

Kind = tuple[Resources, Needs]


class Short:
    """Of each kind they are in the order in which room was first wanted for them."""

    __slots__ = ("_kind_of", "_kinds")

    def __init__(self) -> None:
        self._kinds: dict[Kind, dict[str, ScaledFunction]] = {}
        self._kind_of: dict[str, Kind] = {}

    def __repr__(self) -> str:
        return f"<Short of room: {len(self._kind_of)} functions of {len(self._kinds)} kinds>"

    def __bool__(self) -> bool:
        return bool(self._kind_of)

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
