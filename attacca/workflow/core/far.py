"""What of a workflow is in other domains: which instance has each place there, as their portals have told of it.

Of two domains that tell of one place, the later epoch is right: the federation had given up the other, or moved it.
"""

import msgspec

from attacca.model.events import Target, number
from attacca.model.federation import Located
from attacca.model.workflow import InstanceRow

FAR_MOST = 100_000  # places


class Elsewhere(msgspec.Struct, frozen=True):
    """What that domain has said of one place."""

    domain: str
    told: Located


class Far:
    def __init__(self) -> None:
        self.by_place: dict[str, Elsewhere] = {}

    def __repr__(self) -> str:
        return f"<Far {len(self.by_place)} places>"

    def learn(self, domain: str, told: Located) -> bool:
        """Is it news?"""
        place = f"{told.workflow}.{told.label}"
        known = self.by_place.get(place)
        if known is not None and _age(told) < _age(known.told):
            return False
        if known is None and len(self.by_place) >= FAR_MOST:
            return False
        new = Elsewhere(domain, told)
        if new == known:
            return False
        self.by_place[place] = new
        return True

    def target(self, place: str, weight: float) -> Target:
        known = self.by_place.get(place)
        if known is None:
            return Target(f"{place}.0", "", weight, is_held=True)
        worker = f"{known.domain}/{known.told.worker}"
        if known.told.is_held:
            return Target(known.told.instance, "", weight, is_held=True)
        return Target(known.told.instance, worker, weight)

    def forget(self, root: str) -> None:
        """Nothing of it is here any more."""
        for place in [place for place in self.by_place if place.startswith(f"{root}.")]:
            del self.by_place[place]

    def take(self, place: str) -> None:
        """It is here from now on."""
        self.by_place.pop(place, None)

    def rows(self, root: str) -> list[InstanceRow]:
        return [
            InstanceRow(
                known.told.label, known.told.instance, known.told.worker, known.told.state, 0, domain=known.domain
            )
            for place, known in self.by_place.items()
            if place.startswith(f"{root}.")
        ]


def _age(told: Located) -> tuple[int, int]:
    return told.epoch, number(told.instance)
