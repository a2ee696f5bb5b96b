"""What control's metrics page has of workflows: what became of the intents of those who orchestrate from outside."""

from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from attacca.io.exposition import Form, written
from attacca.workflow.core.state import Counts


def render(counts: Counts, form: Form = Form.TEXT) -> bytes:
    """Without an end."""
    return written(form, [_Page(counts)])


class _Page(Collector):
    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def describe(self) -> Iterable[Metric]:
        return []  # nothing to clash with

    def collect(self) -> Iterator[Metric]:
        counts = self._counts
        came = CounterMetricFamily("attacca_intents", "Intents, by what became of them", labels=["outcome"])
        for outcome in ("done", "nothing", "refused"):
            came.add_metric([outcome], getattr(counts, outcome))
        yield came
        refused = CounterMetricFamily("attacca_intents_refused", "Those that were refused, by why", labels=["reason"])
        for reason, count in sorted(counts.reasons.items()):
            refused.add_metric([reason], count)
        yield refused
