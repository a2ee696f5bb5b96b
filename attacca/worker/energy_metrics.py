"""What a worker's machine spends, on a page for Prometheus."""

from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from attacca.model.energy import EnergyView

NAME = "faas_name"


class OfEnergy(Collector):
    def __init__(self, view: EnergyView) -> None:
        self._view = view

    def describe(self) -> Iterable[Metric]:
        return []  # nothing to clash with

    def collect(self) -> Iterator[Metric]:
        view = self._view
        yield GaugeMetricFamily("attacca_machine_watts", "That the machine took lately", value=view.watts)
        yield GaugeMetricFamily("attacca_machine_idle_watts", "That it takes when it does nothing", value=view.idle_w)
        spent = CounterMetricFamily("attacca_energy_joules", "That the machine has spent, by for whom", labels=["of"])
        for of, joules in (("functions", view.functions_j), ("other", view.other_j), ("idle", view.idle_j)):
            spent.add_metric([of], joules)
        yield spent
        each = CounterMetricFamily(
            "attacca_function_energy_joules", "Reckoned to a function, by what it did", labels=[NAME, "state"]
        )
        unsure = GaugeMetricFamily(
            "attacca_function_energy_error_joules", "So far off that may be, as far as it can be told", labels=[NAME]
        )
        for one in view.functions:
            each.add_metric([one.function, "running"], one.run_j)
            each.add_metric([one.function, "kept"], one.kept_j)
            unsure.add_metric([one.function], one.error_j)
        yield each
        yield unsure
        if view.accelerators_w:
            family = GaugeMetricFamily("attacca_accelerator_watts", "That an accelerator takes", labels=["device"])
            for number, watts in enumerate(view.accelerators_w):
                if watts:
                    family.add_metric([str(number)], watts)
            yield family
