"""What a node of EDGELESS says of itself every few seconds, in the words of attacca."""

import ipaddress
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from attacca.errors import BadRequest
from attacca.model.events import BRIDGED
from attacca.model.function import WasmModule
from attacca.model.machine import Machine
from attacca.model.samples import Entry, Measure, Sample
from attacca.model.sandbox import MachineCounts, MachineLoad
from attacca.workflow.core.identities import is_uuid

NAMED = f"edgeless{BRIDGED}"  # before the UUID of a node, in its name here
URL = re.compile(r"^http://(\[[0-9a-fA-F:]+\]|[^/:\s\[\]]+):(\d{1,5})/?(?!\n)$")
PORT_MOST = 65_535
PROVIDERS_MOST, LABELS_MOST, SAID_CHARACTERS = 256, 64, 200
RUST_WASM = "RUST_WASM"
SAMPLES_MOST = 5000  # of one announcement, of each kind
PATIENCE_LEAST_S, PATIENCE_MOST_S = 1.0, 600.0
KB, MB, HUNDRED = 1024, 1 << 20, 100
MEASURES = {
    "function_instantiate_times": Measure.INSTANTIATE,
    "function_init_times": Measure.INIT,
    "function_execution_times": Measure.CAST,
    "function_stop_times": Measure.STOP,
    "function_transfer_times": Measure.TRANSFER,
}


class Announced(msgspec.Struct, frozen=True, kw_only=True):
    """`nonce`: of its process. `patience_s`: who says nothing for so long is lost. Of both servers HOST:PORT."""

    id: str
    nonce: int
    agent: str
    invocation: str
    patience_s: float
    machine: Machine
    load: MachineLoad

    @property
    def name(self) -> str:
        return f"{NAMED}{self.id}"


class Unusable(Exception):
    """What is answered in its own form, so that the node's log has it."""


def announced(message: Any, wall: float) -> Announced:
    """From an UpdateNodeRequest. `wall`: seconds since 1970.

    Raises:
        BadRequest: it says no node, or too much.
        Unusable: nothing can reach what it announces.
    """
    if not is_uuid(message.node_id):
        raise BadRequest(f"node_id {message.node_id[:80]!r} is no UUID", "a node has one of its own")
    providers = [(one.provider_id, one.class_type) for one in message.resource_providers]
    if len(providers) > PROVIDERS_MOST or len(message.capabilities.labels) > LABELS_MOST:
        raise BadRequest("it has too many labels or providers of resources", f"{PROVIDERS_MOST} are taken")
    said = [*message.capabilities.labels, *message.capabilities.runtimes, *(word for one in providers for word in one)]
    if any(not word for one in providers for word in one):
        raise BadRequest("a provider of resources has no name or no class", "each has both")
    if any(len(word) > SAID_CHARACTERS for word in said):
        raise BadRequest("a label, runtime or provider has too long a name", f"{SAID_CHARACTERS} characters are taken")
    left_s = message.refresh_deadline - wall
    return Announced(
        id=message.node_id.lower(),
        nonce=message.nonce,
        agent=place(message.agent_url),
        invocation=place(message.invocation_url),
        patience_s=min(max(left_s, PATIENCE_LEAST_S), PATIENCE_MOST_S),
        machine=machine(message.capabilities, [kind for _, kind in providers]),
        load=load(message.health_status, message.capabilities),
    )


def place(url: str) -> str:
    """HOST:PORT of an address. What passes is not secured, so that it must not leave the machine.

    Raises:
        Unusable: it is none, or elsewhere.
    """
    found = URL.match(url)
    if found is None or int(found[2]) > PORT_MOST:
        raise Unusable(f"{url[:80]!r} is not http://HOST:PORT")
    host = found[1].strip("[]")
    try:
        is_here = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_here = host == "localhost"
    if not is_here:
        raise Unusable(f"{url[:80]!r} is on another machine: nodes are reached through loopback only")
    return f"{found[1]}:{found[2]}"


def machine(capabilities: Any, classes: Iterable[str]) -> Machine:
    """Functions run only where it says that it has processors."""
    runs = RUST_WASM in capabilities.runtimes and capabilities.num_cpus * capabilities.num_cores
    return Machine(
        processors=capabilities.num_cpus,
        cores=capabilities.num_cores,
        mhz=capabilities.clock_freq_cpu,
        model=capabilities.model_name_cpu[:SAID_CHARACTERS],
        memory_mb=capabilities.mem_size,
        disk_mb=capabilities.disk_tot_space,
        labels=tuple(capabilities.labels),
        tee=capabilities.is_tee_running,
        tpm=capabilities.has_tpm,
        resources=tuple(sorted(set(classes))),
        events=(WasmModule.what,) if runs else (),
    )


def load(health: Any, capabilities: Any) -> MachineLoad:
    """It does not measure how busy its processors are: the load of a minute says it."""
    load_1m = health.load_avg_1 / HUNDRED
    counts = MachineCounts(
        load_5m=health.load_avg_5 / HUNDRED, load_15m=health.load_avg_15 / HUNDRED,
        received_bytes=health.tot_rx_bytes, received_packets=health.tot_rx_pkts, received_errors=health.tot_rx_errs,
        sent_bytes=health.tot_tx_bytes, sent_packets=health.tot_tx_pkts, sent_errors=health.tot_tx_errs,
        disk_read_bytes=health.disk_tot_reads, disk_written_bytes=health.disk_tot_writes,
        process_share=health.proc_cpu_usage / HUNDRED, process_kb=health.proc_memory,
        process_virtual_kb=health.proc_vmemory,
    )  # fmt: skip
    return MachineLoad(
        cpu_share=min(load_1m / max(capabilities.num_cpus, 1), 1.0),
        load_1m=load_1m,
        memory_free_mb=health.mem_available // KB,
        disk_free_mb=health.disk_free_space // MB,
        received_mb_s=0.0,
        sent_mb_s=0.0,
        counts=counts,
    )


def samples(message: Any, instances: dict[str, str]) -> tuple[tuple[Sample, ...], tuple[Entry, ...], int]:
    """From a NodePerformanceSamples: what it measured, what was logged, and how much was too much. `instances`: by
    their physical ids there; what another has done is nobody's business."""
    taken = [
        Sample(instances[of.id], measure, _at(one), one.sample)
        for field, measure in MEASURES.items()
        for of in getattr(message, field)
        if of.id in instances
        for one in of.samples
    ]
    entries = [
        Entry(instances[of.id], _at(one), "info", one.target, one.msg)
        for of in message.function_log_entries
        if of.id in instances
        for one in of.entries
    ]
    lost = max(len(taken) - SAMPLES_MOST, 0) + max(len(entries) - SAMPLES_MOST, 0)
    return tuple(taken[:SAMPLES_MOST]), tuple(entries[:SAMPLES_MOST]), lost


def _at(stamped: Any) -> float:
    return float(stamped.timestamp_sec + stamped.timestamp_ns / 1e9)
