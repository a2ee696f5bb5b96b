"""Data sets for whoever looks at a run afterwards: five CSV files, with the columns that EDGELESS has.

application_logs       identifier,target,timestamp,value        what event functions told with a target
performance_samples    identifier,metric,timestamp,value        seconds
mapping_to_instance_id timestamp,logical_id,workflow_id,node_id,physical_id     of a component, when that changes
capabilities           timestamp,node_id,...                    of a node, when they change
health_status          timestamp,node_id,...                    of a node, when it tells
"""

import asyncio
import csv
import io
import logging
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import msgspec

from attacca.kernel.clock import Clock
from attacca.model.events import Samples
from attacca.workflow.core import identities
from attacca.workflow.core.state import DomainState, InstanceState
from attacca.workflow.mirror import keys
from attacca.workflow.mirror.reflection import METRICS

LOGS, SAMPLES, MAPPING = "application_logs", "performance_samples", "mapping_to_instance_id"
CAPABILITIES, HEALTH = "capabilities", "health_status"
EVERY_S = 1.0  # between two looks at what has changed
LOG = logging.getLogger("attacca.dataset")
COLUMNS = {
    LOGS: ("identifier", "target", "timestamp", "value"),
    SAMPLES: ("identifier", "metric", "timestamp", "value"),
    MAPPING: ("timestamp", "logical_id", "workflow_id", "node_id", "physical_id"),
    CAPABILITIES: (
        "timestamp", "node_id", "num_cpus", "model_name_cpu", "clock_freq_cpu", "num_cores", "mem_size", "labels",
        "is_tee_running", "has_tpm", "runtimes", "disk_tot_space", "num_gpus", "model_name_gpu", "mem_size_gpu",
    ),
    HEALTH: (
        "timestamp", "node_id", "mem_free", "mem_used", "mem_available", "proc_cpu_usage", "proc_memory",
        "proc_vmemory", "load_avg_1", "load_avg_5", "load_avg_15", "tot_rx_bytes", "tot_rx_pkts", "tot_rx_errs",
        "tot_tx_bytes", "tot_tx_pkts", "tot_tx_errs", "disk_free_space", "disk_tot_reads", "disk_tot_writes",
        "gpu_load_perc", "gpu_temp_cels", "active_power",
    ),
}  # fmt: skip
Row = tuple[str, tuple[object, ...]]  # of which file


class DatasetConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where data sets are written, and what stands before each row, such as the seed of a run."""

    path: str = ""  # before the names of the files; empty: there are none
    append: bool = True  # to what is there
    additional_fields: str = ""
    additional_header: str = ""


class Dataset:
    """An `Attendant`. `state` is looked at once a second."""

    def __init__(self, config: DatasetConfig, clock: Clock, state: Callable[[], DomainState]) -> None:
        self._config, self._clock, self._state = config, clock, state
        self._files: dict[str, IO[str]] = {}
        self._closing = ExitStack()
        self._task: asyncio.Task[None] | None = None
        self._before = DomainState(domain="")
        self.rows = 0

    def __repr__(self) -> str:
        return f"<Dataset of {len(self._files)} files, {self.rows} rows>"

    def open(self) -> None:
        try:
            for name, columns in COLUMNS.items():
                path = Path(f"{self._config.path}{name}.csv")
                path.parent.mkdir(parents=True, exist_ok=True)
                file = path.open("a" if self._config.append else "w", newline="", encoding="utf-8")
                self._files[name] = self._closing.enter_context(file)
                if file.tell() == 0:
                    file.write(line(self._config.additional_header, columns))
        except OSError as error:
            self._give_up(error)
        self._task = asyncio.get_running_loop().create_task(self._live())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.look()
        self._files.clear()
        self._closing.close()

    def collect(self, told: Samples) -> None:
        self._write(measured(told))

    async def _live(self) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            self.look()

    def look(self) -> None:
        """What is new since the time before."""
        before, self._before = self._before, self._state()
        self._write(changed(before, self._before, self._clock.wall()))
        try:
            for file in self._files.values():
                file.flush()
        except OSError as error:
            self._give_up(error)

    def _write(self, rows: Iterable[Row]) -> None:
        try:
            for name, values in rows:
                if name in self._files:
                    self._files[name].write(line(self._config.additional_fields, values))
                    self.rows += 1
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        """A domain goes on without it."""
        self._files.clear()
        LOG.warning("no data sets are written any more, at %r: %s", self._config.path, error.strerror or error)


def measured(told: Samples) -> list[Row]:
    samples: list[Row] = [
        (SAMPLES, (identities.of_instance(one.instance), METRICS[one.measure], one.at, one.seconds))
        for one in told.samples
    ]
    return samples + [
        (LOGS, (identities.of_instance(one.instance), one.target, one.at, one.text)) for one in told.entries
    ]


def changed(before: DomainState, now: DomainState, wall: float) -> list[Row]:
    """Of nodes and components that are not as they were."""
    rows: list[Row] = []
    nodes = {node.name: node.id for node in now.nodes}
    known = {node.name: node for node in before.nodes}
    for node in now.nodes:
        old, capabilities = known.get(node.name), keys.capabilities(node)
        if old is None or keys.capabilities(old) != capabilities:
            rows.append((CAPABILITIES, (wall, node.id, *capabilities.values())))
        if node.load is not None and (old is None or old.load is not node.load):
            health = keys.health(node, node.load)
            rows.append((HEALTH, (wall, node.id, *{**health, "gpu_temp_cels": -1}.values())))
    places = {one.id: _places(one.instances, nodes) for one in before.components}
    for one in now.components:
        there = _places(one.instances, nodes)
        if there and there != places.get(one.id):
            rows.append((MAPPING, (wall, one.id, one.workflow_id, *there)))
    return rows


def _places(instances: Iterable[InstanceState], nodes: dict[str, str]) -> tuple[str, ...]:
    found: list[str] = []
    for one in instances:
        found += [nodes.get(one.node, ""), one.id]
    return tuple(found)


def line(before: str, values: Iterable[object]) -> str:
    """`before` is a column, or several, or none: as there, its comma is always written."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerow([_text(value) for value in values])
    return f"{before},{file.getvalue()}"


def _text(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case float():
            return keys.fixed(value)
        case list() | tuple():
            return f"[{';'.join(map(str, value))}]"
        case _:
            return str(value)
