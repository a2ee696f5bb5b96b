"""What others published of a workload that we have too, as figures and as facts of how they were measured."""

from typing import Final, Literal

import msgspec

Quantity = Literal["scheduling", "scheduling_of_functions", "slowdown"]


class Read(msgspec.Struct, frozen=True):
    """A figure as it was published: one value, or a range where a plot allows no better."""

    low: float  # seconds; of a slowdown times
    high: float
    is_more: bool = False  # the plot ends there
    is_about: bool = False


class Place(msgspec.Struct, frozen=True):
    """A row: a quantile of a quantity, and what each system was read to have; None where it cannot be read."""

    quantity: Quantity
    share: float  # 1: the most
    read: tuple[Read | None, ...]  # in the order of `systems`


class Published(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    systems: tuple[str, ...]
    source: str
    places: tuple[Place, ...]
    setup: dict[str, str]  # aspect -> how it was with them; the aspects of comparison.py


def _one(value: float) -> Read:
    return Read(value, value)


def _about(value: float) -> Read:
    return Read(value, value, is_about=True)


DIRIGENT: Final = Published(
    name="Dirigent",
    systems=("Dirigent", "Knative"),
    source=(
        "Sample results of Dirigent's artifact (SOSP 2024), containerd on 17 nodes, read off its plots to about "
        "± 10\N{NO-BREAK SPACE}%; Knative is its baseline on the same machines."
    ),
    places=(
        Place("scheduling", 0.5, (_one(0.002), _one(0.003))),
        Place("scheduling", 0.8, (_one(0.010), _one(0.012))),
        Place("scheduling", 0.9, (_one(0.250), _one(0.100))),
        Place("scheduling", 0.95, (None, _one(5.0))),
        Place("scheduling", 0.99, (Read(1.0, 2.0), _about(100.0))),
        Place("scheduling_of_functions", 0.5, (_one(0.210), _one(45.0))),
        Place("scheduling_of_functions", 0.8, (None, _one(150.0))),
        Place("scheduling_of_functions", 0.99, (_one(1.5), None)),
        Place("scheduling_of_functions", 1.0, (_about(6.0), _about(300.0))),
        Place("slowdown", 0.5, (_one(2.6), _one(9.5))),
        Place("slowdown", 0.8, (_one(10.0), _one(100.0))),
        Place("slowdown", 0.99, (Read(200.0, 280.0), Read(4000.0, 4000.0, is_more=True))),
    ),
    setup={
        "load": "Azure-500, 30 minutes, 171,558 invocations; the first 10 minutes are left out",
        "machines": "17 nodes of 10 cores at 2.4 GHz and 64 GB, less those for load, control plane and data plane",
        "who queues": "the data plane, one queue for each function",
        "sandboxes": "an autoscaler makes and ends them, by concurrency sampled every 2 s over the last 60 s and 6 s",
        "cold start": "a container: 180 ms (p99 190 ms) at 1 a second, 570 ms (p99 over 5 s) at 225 a second",
        "handler": "computes square roots, as many as its duration should hold; those on the same cores slow it down",
        "durations": "drawn evenly between the published percentiles, 1 ms to 60 s",
        "places in a minute": "gaps drawn, then scaled to fill the minute",
        "network": "25 Gbit/s Ethernet: load to data plane to worker, and back",
        "response": "from when it was sent",
        "faults": "none in this experiment",
        "errors": "up to 1 % accepted",
    },
)  # fmt: skip
PUBLISHED: Final = {"dirigent": DIRIGENT}
