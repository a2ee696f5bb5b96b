"""Points of workers and gateways, now and then, into a database of time series, where one is named; and out of it."""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack

from attacca.cli.serve.configuration import ServerConfig
from attacca.cli.serve.planes.delivering import Deliveries
from attacca.errors import AttaccaError
from attacca.gateway.charts import Charts
from attacca.gateway.core.charted import Charted
from attacca.gateway.driver import Gateway
from attacca.io.posting import Posted
from attacca.io.shipping import Shipper, ShippingLimits
from attacca.io.timeseries.influx import Influx1
from attacca.io.timeseries.opening import SeriesConfig, open_series
from attacca.io.timeseries.types import Point
from attacca.kernel.clock import Clock
from attacca.model.sandbox import WorkerView
from attacca.worker.points import MEASUREMENT, TAG, points

LOG = logging.getLogger("attacca.series")
SINCE_S = 60.0  # what is older says nothing
PAUSE_MOST_S = 30.0
LOADS = ("cpu_loadavg", "gpu_loadavg")


class Charting:
    def __init__(self, config: SeriesConfig, clock: Clock, told: Callable[[float], list[Point]]) -> None:
        """`told`: what there is to write at a moment, in seconds since 1970.

        Raises:
            BadConfig: the secret cannot be read.
        """
        self._config, self._clock, self._told = config, clock, told
        self._series = open_series(config)
        self._is_prepared = not isinstance(self._series, Influx1)
        name = f"the database at {config.url}"
        limits = ShippingLimits(held=config.held, every_s=config.every_s, timeout_s=config.timeout_s)
        self.shipper: Shipper[Point] = Shipper(name, self._write, limits)
        self._timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Charting into {self._series}: {self.shipper}>"

    def open(self) -> None:
        self.shipper.open()
        self._look()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.shipper.close()

    def _look(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._config.every_s, self._look)
        for point in self._told(self._clock.wall()):
            self.shipper.put(point)

    def _write(self, batch: list[Point]) -> Posted:
        """In the thread of the shipper."""
        if not self._is_prepared and isinstance(self._series, Influx1):
            self._series.prepare()
            self._is_prepared = True
        return self._series.write(batch)


def chart(
    config: SeriesConfig,
    clock: Clock,
    shown: Callable[[], WorkerView],
    closing: AsyncExitStack,
    deliveries: Deliveries,
) -> None:
    """
    Raises:
        BadConfig: the secret cannot be read.
    """
    _write(config, clock, lambda at: points(shown(), at), closing, deliveries)


def _write(
    config: SeriesConfig,
    clock: Clock,
    told: Callable[[float], list[Point]],
    closing: AsyncExitStack,
    deliveries: Deliveries,
) -> None:
    if config.url:
        charting = Charting(config, clock, told)
        deliveries.add("points", charting.shipper)
        charting.open()
        closing.callback(charting.close)


class Reading:
    """What the database says of workers, for a gateway, each `every_s` of its settings. It has a thread of its own."""

    def __init__(self, config: SeriesConfig, clock: Clock, told: Callable[[Charted], None]) -> None:
        """
        Raises:
            BadConfig: the secret cannot be read.
        """
        self._every_s, self._clock, self._told = config.every_s, clock, told
        self._series = open_series(config)
        self._over = threading.Event()
        self._pause_s = config.every_s

    def __repr__(self) -> str:
        return f"<Reading {self._series}, in {self._pause_s:g} s again>"

    def open(self) -> None:
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._read_on, args=(loop,), name="reading series", daemon=True).start()

    def close(self) -> None:
        self._over.set()

    def read(self) -> Charted:
        """Nothing, where it does not answer; then it is asked less often."""
        try:
            found = self._series.last(MEASUREMENT, TAG, SINCE_S, self._clock.wall())
        except AttaccaError:
            self._pause_s = min(self._pause_s * 2, PAUSE_MOST_S)
            return Charted({})
        self._pause_s = self._every_s
        return Charted({name: sum(fields.get(one, 0.0) for one in LOADS) for name, fields in found.items()})

    def read_whatever(self) -> Charted:
        """What it says, and be it a mistake of ours to read it, is no reason to ask no more."""
        try:
            return self.read()
        except Exception:
            LOG.exception("what %s says could not be read", self._series)
            self._pause_s = PAUSE_MOST_S
            return Charted({})

    def _read_on(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._over.is_set():
            charted = self.read_whatever()
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._tell, charted)
            self._over.wait(self._pause_s)

    def _tell(self, charted: Charted) -> None:
        if not self._over.is_set():
            self._told(charted)


def chart_gateway(
    config: ServerConfig,
    clock: Clock,
    gateway: Gateway,
    closing: AsyncExitStack,
    deliveries: Deliveries,
    name: str = "gateway",
) -> None:
    """What it does is written, and what workers wrote is read, where its balancing policy goes by that.

    Raises:
        BadConfig: the secret cannot be read.
    """
    _write(config.series, clock, Charts(gateway.remembering.history, name).points, closing, deliveries)
    if config.series.url and config.gateway.balancing.options.get("by") == "loadavg":
        reading = Reading(config.series, clock, gateway.receive)
        reading.open()
        closing.callback(reading.close)
