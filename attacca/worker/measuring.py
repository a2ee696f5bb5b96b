"""What a worker has measured of its machine and of its sandboxes, to be shown with the rest."""

from msgspec.structs import replace

from attacca.model.looks import AskLoads, LoadsTold
from attacca.model.sandbox import MachineLoad, WorkerView
from attacca.worker.host.load import Meter
from attacca.worker.host.uses import Uses


class Measuring:
    """Without a meter, or without uses, nobody measures that."""

    def __init__(self, meter: Meter | None = None, uses: Uses | None = None) -> None:
        self._meter, self._uses = meter, uses
        self.load: MachineLoad | None = None

    def __repr__(self) -> str:
        return f"<Measuring by {self._meter!r} and {self._uses!r}>"

    def look(self, now: float) -> None:
        if self._meter is not None:
            self.load = self._meter.measure(now)
        if self._uses is not None:
            self._uses.look(now)

    def shown(self, view: WorkerView) -> WorkerView:
        sandboxes = view.sandboxes if self._uses is None else self._uses.with_use(view.sandboxes)
        return replace(view, load=self.load, sandboxes=sandboxes)

    def told(self, question: AskLoads, now: float) -> LoadsTold:
        return LoadsTold(question.id, () if self._meter is None else self._meter.history(now))
