"""What the machines of a server spend while a run goes on, and an invocation of that, where they have a meter."""

import threading
from collections.abc import Callable

import msgspec

from attacca.client.http import Client
from attacca.kernel.clock import SystemClock
from attacca.model.energy import EnergyView

LOOKS = 2  # after the end, by which what ended last has been reckoned
SETTLES_S = 5.0  # at most, for these
NAP_S = 0.05
NOT_MEASURED = "not measured"


class _Seen(msgspec.Struct, frozen=True):
    """What is read of a worker's view."""

    name: str
    energy: EnergyView | None = None


Views = dict[str, EnergyView]


class Joules:
    """Begins with what has been spent so far. `look`: what each machine that has a meter says of it now."""

    def __init__(self, look: Callable[[], Views]) -> None:
        self._look, self._clock = look, SystemClock()
        self._before = look()

    def __repr__(self) -> str:
        return f"<Joules of {len(self._before)} machines>"

    @property
    def source(self) -> str:
        """Of whom it is known, for the facts of a run."""
        sources = sorted({view.source for view in self._before.values()})
        return ", ".join(sources) if sources else NOT_MEASURED

    def totals(self) -> dict[str, float]:
        """In joules, as a simulation has them: `energy_j` of all machines, and `invocation_j` of an invocation, on
        average, with its part of what being on takes. Empty: nobody measures."""
        if not self._before:
            return {}
        return spent(self._before, self._settled())

    def _settled(self) -> Views:
        nap, until = threading.Event(), self._clock.now() + SETTLES_S
        seen, looks = self._look(), 0
        while looks < LOOKS and self._clock.now() < until:
            nap.wait(NAP_S)
            now = self._look()
            looks += any(view.total_j != seen[name].total_j for name, view in now.items() if name in seen)
            seen = now
        return seen


def looked(client: Client) -> Views:
    views = msgspec.convert(client.json("GET", "/api/workers?function="), list[_Seen])
    return {view.name: view.energy for view in views if view.energy is not None}


def spent(before: Views, after: Views) -> dict[str, float]:
    """A worker that has begun anew meanwhile has all of what it says."""
    energy_j = run_j = 0.0
    invocations = 0
    for name, view in after.items():
        first = before.get(name)
        is_new = first is None or first.total_j > view.total_j
        known = {} if first is None or is_new else {one.function: one for one in first.functions}
        energy_j += view.total_j - (0.0 if first is None or is_new else first.total_j)
        for one in view.functions:
            earlier = known.get(one.function)
            if earlier is not None and earlier.invocations > one.invocations:
                earlier = None  # it was deleted, and deployed anew
            run_j += one.run_j - (0.0 if earlier is None else earlier.run_j)
            invocations += one.invocations - (0 if earlier is None else earlier.invocations)
    return {"energy_j": energy_j} | ({"invocation_j": run_j / invocations} if invocations else {})
