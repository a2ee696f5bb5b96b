"""What a worker has measured of its machine and of its sandboxes, to be shown with the rest."""

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from attacca.model.energy import Spent
from attacca.model.looks import AskLoads, LoadsTold
from attacca.model.sandbox import MachineLoad, WorkerView
from attacca.worker.host.energy.meter import EnergyMeter
from attacca.worker.host.load import Meter
from attacca.worker.host.uses import Uses


class Measuring:
    """Without a meter, without uses, or without one of energy, nobody measures that."""

    def __init__(self, meter: Meter | None = None, uses: Uses | None = None, energy: EnergyMeter | None = None) -> None:
        self._meter, self._uses, self._energy = meter, uses, energy
        self.load: MachineLoad | None = None

    def __repr__(self) -> str:
        return f"<Measuring by {self._meter!r} and {self._uses!r}>"

    def look(self, now: float) -> None:
        if self._meter is not None:
            watts = 0.0 if self._energy is None else self._energy.ledger.watts
            self.load = self._meter.measure(now, watts)
        if self._uses is not None:
            self._uses.look(now)

    def shown(self, view: WorkerView, *, is_whole: bool = False) -> WorkerView:
        """`is_whole`: with the energy of each function."""
        sandboxes = view.sandboxes if self._uses is None else self._uses.with_use(view.sandboxes)
        energy = None if self._energy is None else self._energy.view(is_whole=is_whole)
        return replace(view, load=self.load, sandboxes=sandboxes, energy=energy)

    def told(self, question: AskLoads, now: float) -> LoadsTold:
        return LoadsTold(question.id, () if self._meter is None else self._meter.history(now))

    def tell(self, worker: str, peers: Iterable[str], control: str, send: Callable[[str, Spent], None]) -> None:
        """Gateways: what their invocations have taken, as far as that has become known."""
        if self._energy is not None and (spent := self._energy.ledger.spent()):
            for gateway in peers:
                if gateway != control:
                    send(gateway, Spent(worker, spent))
