"""Workflows on a schedule that waits for nobody: how long starts and stops take, and events from end to end."""

import threading
from collections.abc import Callable, Iterator, Sequence
from math import ceil

import msgspec

from attacca.client.http import Client
from attacca.client.workflows import uploaded
from attacca.errors import AttaccaError, Conflict
from attacca.kernel.clock import SystemClock
from attacca.kernel.rand import Streams
from attacca.lab.workflows.graphs import SINK, Graph, source_of
from attacca.load.workload.distributions import sampler
from attacca.load.workload.scenario import Distribution, Shape
from attacca.load.workload.shapes import arrivals

AT_ONCE_MOST = 512  # workflows: each has a thread and a connection here
NAME = "bench"


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """When workflows come, and how long each stays."""

    graph: Graph = Graph()
    arrivals: Shape = Shape(rate=0.5)
    lifetime: Distribution = Distribution(kind="exponential", mean_ms=10_000.0)
    duration_s: float = 30.0
    seed: int = 1


class Life(msgspec.Struct):
    """What became of one. Milliseconds; `latencies`: by the number of the event."""

    late_ms: float  # after it was due, it was asked for
    start_ms: float = 0.0
    stop_ms: float = 0.0
    error: str = ""
    latencies: dict[int, float] = {}
    doubled: int = 0
    lost: int = 0

    def hear(self, lines: Sequence[str]) -> None:
        """What its sink has logged. An event that is not there, though later ones are, was lost."""
        for line in lines:
            number, _, took = line.partition(" ")
            if number.isdigit():
                self.doubled += int(number) in self.latencies
                self.latencies[int(number)] = float(took)
        self.lost = max(self.latencies, default=0) - len(self.latencies)


class Spread(msgspec.Struct, frozen=True):
    """In milliseconds."""

    count: int
    mean: float = 0.0
    p50: float = 0.0
    p90: float = 0.0
    p99: float = 0.0
    most: float = 0.0


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """`blocked`: by error code, workflows that were not started."""

    load: Load
    workflows: int
    blocked: dict[str, int]
    late: Spread
    start: Spread
    stop: Spread
    latency: Spread
    lost: int
    doubled: int


def schedule(load: Load) -> Iterator[tuple[float, float]]:
    """When each comes, and for how long it stays: seconds, the same for the same seed."""
    streams = Streams(load.seed)
    stays = sampler(load.lifetime, streams.stream("lifetimes"))
    for at in arrivals(load.arrivals, streams.stream("arrivals"), load.duration_s):
        yield at, stays() / 1e3


def run(connect: Callable[[], Client], load: Load, say: Callable[[str], None]) -> Found:
    """
    Raises:
        Unreachable: no server answers.
        Conflict: more workflows would be there at once than this can see to.
    """
    due = list(schedule(load))
    if _at_once(due) > AT_ONCE_MOST:
        raise Conflict(f"{_at_once(due)} workflows at once; {AT_ONCE_MOST} at most", "lower --rate or --lifetime")
    source = source_of(load.graph, NAME)
    with connect() as client:
        spec = msgspec.to_builtins(source.spec(uploaded(client, source, say)))
    now, lives = SystemClock().now, list[Life]()
    threads = []
    began = now()
    for number, (at, stays_s) in enumerate(due):
        wait(max(began + at - now(), 0.0))
        life = Life((now() - began - at) * 1e3, latencies={})
        lives.append(life)
        named = {**spec, "name": f"{NAME}-{number}"}
        threads.append(threading.Thread(target=_live, args=(connect, named, stays_s, life), daemon=True))
        threads[-1].start()
        say(f"{number + 1} of {len(due)} workflows asked for")
    for thread in threads:
        thread.join()
    return sum_up(load, lives)


def _live(connect: Callable[[], Client], spec: object, stays_s: float, life: Life) -> None:
    now = SystemClock().now
    try:
        with connect() as client:
            began = now()
            view = client.json("POST", "/api/workflows", spec)
            life.start_ms = (now() - began) * 1e3
            wait(stays_s)
            path = f"/api/workflows/{view['id']}"
            life.hear([str(line["text"]).strip() for line in client.lines("GET", f"{path}/logs?component={SINK}")])
            began = now()
            client.json("DELETE", path)
            life.stop_ms = (now() - began) * 1e3
    except AttaccaError as error:
        life.error = error.code


def wait(seconds: float) -> None:
    threading.Event().wait(seconds)


def _at_once(due: list[tuple[float, float]]) -> int:
    """The most that are there together."""
    changes = sorted(change for at, stays_s in due for change in ((at, 1), (at + stays_s, -1)))
    most = there = 0
    for _, change in changes:
        there += change
        most = max(most, there)
    return most


def sum_up(load: Load, lives: Sequence[Life]) -> Found:
    blocked: dict[str, int] = {}
    for life in lives:
        if life.error:
            blocked[life.error] = blocked.get(life.error, 0) + 1
    well = [life for life in lives if not life.error]
    return Found(
        load=load,
        workflows=len(lives),
        blocked=blocked,
        late=spread([life.late_ms for life in lives]),
        start=spread([life.start_ms for life in well]),
        stop=spread([life.stop_ms for life in well]),
        latency=spread([took for life in lives for took in life.latencies.values()]),
        lost=sum(life.lost for life in lives),
        doubled=sum(life.doubled for life in lives),
    )


def spread(values: Sequence[float]) -> Spread:
    if not values:
        return Spread(0)
    ordered = sorted(values)
    count = len(ordered)
    p50, p90, p99 = (ordered[max(1, ceil(share * count)) - 1] for share in (0.5, 0.9, 0.99))
    return Spread(count, sum(ordered) / count, p50, p90, p99, ordered[-1])
