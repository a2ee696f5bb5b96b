"""What ended at a gateway, as points of a time series: one for each step of its history."""

from attacca.gateway.core.history import History
from attacca.io.timeseries.types import Number, Point
from attacca.model.history import Step, percentile

MEASUREMENT = "gateway"
MOST = 60  # steps that are told at once, after a pause


class Charts:
    def __init__(self, history: History, name: str) -> None:
        self._history, self._name = history, name
        self._told = 0  # steps

    def __repr__(self) -> str:
        return f"<Charts of {self._name}, {self._told} steps told>"

    def points(self, _: float) -> list[Point]:
        """Of the steps that have ended since it was asked before, each at its own end. They are counted, as a clock
        may be set back."""
        new = min(self._history.count - self._told, len(self._history.steps), MOST)
        self._told = self._history.count
        steps = list(self._history.steps)[-new:] if new else []
        tags = (("name", self._name), ("node_type", "gateway"))
        return [Point(measurement=MEASUREMENT, tags=tags, fields=_fields(step), at=step.at) for step in steps]


def _fields(step: Step) -> tuple[tuple[str, Number], ...]:
    """Percentiles only where anything ended."""
    fields: list[tuple[str, Number]] = [
        ("warm", step.warm), ("prewarmed", step.prewarmed), ("template", step.template), ("cold", step.cold),
        ("unborn", step.unborn), ("failed", step.failed), ("refused", step.refused), ("waiting", step.waiting),
        ("running", step.running),
    ]  # fmt: skip
    for name, share in (("p50_ms", 0.5), ("p99_ms", 0.99)):
        took = percentile(step.took, share)
        if took is not None:
            fields.append((name, took))
    return tuple(fields)
