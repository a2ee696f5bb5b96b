"""What ended at a gateway, as points of a time series: one for each step of its history."""

from attacca.gateway.core.history import History
from attacca.io.timeseries.types import Number, Point
from attacca.model.history import Step, percentile

MEASUREMENT = "gateway"
MOST = 60  # steps that are told at once, after a pause


class Charts:
    def __init__(self, history: History, name: str) -> None:
        self._history, self._name = history, name
        self._told = 0.0  # the end of the latest step that was told

    def __repr__(self) -> str:
        return f"<Charts of {self._name}, told until {self._told:.0f}>"

    def points(self, _: float) -> list[Point]:
        """Of the steps that have ended since it was asked before, each at its own end."""
        steps = [step for step in list(self._history.steps)[-MOST:] if step.at > self._told]
        if steps:
            self._told = steps[-1].at
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
