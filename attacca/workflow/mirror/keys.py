"""The keys of EDGELESS's proxy, from the state of a domain; which shapes there are, `config.Shape` says.

node:capabilities:NODE      node:health:NODE                              of each node
provider:ID                                                               of each class of resources on each node
instance:LID                dependency:LID                                of each component
performance:PID:METRIC      performance:function_execution_time:PID       of each instance
domain_info:domain_id       CATEGORY:last_update
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from attacca.model.sandbox import MachineCounts, MachineLoad
from attacca.workflow.core import identities
from attacca.workflow.core.state import ComponentState, DomainState, InstanceState, NodeState, ProviderState
from attacca.workflow.mirror.config import Shape
from attacca.workflow.mirror.writes import Append, Score, Set, Write

CAPABILITIES, PROVIDER, INSTANCE, DEPENDENCY = "node:capabilities", "provider", "instance", "dependency"
CATEGORIES = (CAPABILITIES, PROVIDER, INSTANCE, DEPENDENCY)  # each has a last_update
HEALTH, PERFORMANCE, EXECUTION = "node:health", "performance", "function_execution_time"
LAST_UPDATE = "last_update"
LITERAL = "nodes:capabilities"  # as the guide spells it, and no version of the code
NOWHERE = "00000000-0000-0000-0000-fffe00000000"
NO_RESOURCE = f"InstanceId(node_id: {NOWHERE}, function_id: {NOWHERE.replace('fffe', 'fffd')})"
UNKNOWN = -1
HEALTH_FIELDS = (
    "mem_free", "mem_used", "mem_available", "proc_cpu_usage", "proc_memory", "proc_vmemory", "load_avg_1",
    "load_avg_5", "load_avg_15", "tot_rx_bytes", "tot_rx_pkts", "tot_rx_errs", "tot_tx_bytes", "tot_tx_pkts",
    "tot_tx_errs", "disk_free_space", "disk_tot_reads", "disk_tot_writes", "gpu_load_perc", "gpu_temp_cels",
    "active_power",
)  # fmt: skip
RUNTIMES = ["PYTHON", "RUST_WASM"]
KB_MB = 1024


Made = dict[str, tuple[object, dict[str, str]]]  # by component: what its texts were made of, and they


def texts(state: DomainState, shape: Shape, made: Made | None = None) -> dict[str, str]:
    """Everything but what is measured. `made`: those of the time before, which it keeps."""
    found = {} if shape is Shape.DOCUMENT else {"domain_info:domain_id": state.domain}
    ids = {one.name: one.id for one in state.components}
    nodes = {node.name: node.id for node in state.nodes}
    for node in state.nodes:
        able = _json(capabilities(node))
        found[f"{CAPABILITIES}:{node.id}"] = able
        if shape is not Shape.NEWEST:
            found[f"{LITERAL}:{node.id}"] = able
    for provider in state.providers:
        found[f"{PROVIDER}:{provider.name}"] = _json(_provider(provider, nodes))
    fresh: Made = {}
    before = {} if made is None else made
    for one in state.components:
        now = (one.outputs, tuple((each.id, each.node) for each in one.instances))
        old = before.get(one.id)
        told = old if old is not None and old[0] == now else (now, _of_component(one, nodes, ids))
        fresh[one.id] = told
        found |= told[1]
    before.clear()
    before.update(fresh)
    return found


def _of_component(one: ComponentState, nodes: dict[str, str], ids: dict[str, str]) -> dict[str, str]:
    """Nothing else of it changes while it is there."""
    found = {f"{INSTANCE}:{one.id}": _json(_instances(one, nodes))}
    if one.outputs:
        found[f"{DEPENDENCY}:{one.id}"] = _json(_dependencies(one, ids))
    return found


def updates(changed: Iterable[str], shape: Shape, wall: float) -> dict[str, str]:
    """The times at which categories were written last, of those that one of these keys belongs to."""
    if shape is Shape.DOCUMENT:
        return {}
    touched = {key.rpartition(":")[0] for key in changed}
    return {f"{one}:{LAST_UPDATE}": fixed(wall) for one in CATEGORIES if one in touched}


def healths(state: DomainState, shape: Shape, wall: float) -> list[Write]:
    """Of nodes whose load is measured."""
    told: list[Write] = []
    for node in state.nodes:
        if node.load is not None:
            key, text = f"{HEALTH}:{node.id}", _json(health(node, node.load))
            told.append(Set(key, text) if shape is Shape.DOCUMENT else Score(key, text, wall))
    return told


def samples(instance: str, metric: str, at: float, value: str, shape: Shape) -> list[Write]:
    """One of an instance, by its name. `at`: seconds since 1970."""
    pid = identities.of_instance(instance)
    told: list[Write] = []
    if shape is not Shape.DOCUMENT:
        told.append(Score(f"{PERFORMANCE}:{pid}:{metric}", f"{fixed(at)}:{value}", at, is_fleeting=True))
    if shape is not Shape.NEWEST and metric == EXECUTION:
        told.append(Append(f"{PERFORMANCE}:{metric}:{pid}", f"{value},{at:.3f}"))
    return told


def fixed(value: float) -> str:
    """The shortest decimal that is this number, without an exponent."""
    text = format(Decimal(repr(float(value))), "f")
    return text.removesuffix(".0")


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def capabilities(node: NodeState) -> dict[str, object]:
    machine = node.machine
    return {
        "num_cpus": machine.processors,
        "model_name_cpu": machine.model,
        "clock_freq_cpu": machine.mhz,
        "num_cores": machine.cores,
        "mem_size": machine.memory_mb or node.memory_mb,
        "labels": list(node.labels),
        "is_tee_running": machine.tee,
        "has_tpm": machine.tpm,
        "runtimes": RUNTIMES,
        "disk_tot_space": machine.disk_mb,
        "num_gpus": 0,
        "model_name_gpu": "",
        "mem_size_gpu": 0,
    }


def health(node: NodeState, load: MachineLoad) -> dict[str, int]:
    """In kB, bytes and hundredths; -1 is what nobody measures, as in EDGELESS."""
    free_kb, counts = load.memory_free_mb * KB_MB, load.counts
    used_kb = max(node.machine.memory_mb * KB_MB - free_kb, 0)
    known = {} if counts is None else _counted(counts)
    known |= {
        "mem_free": free_kb, "mem_used": used_kb, "mem_available": free_kb, "load_avg_1": round(load.load_1m * 100),
        "disk_free_space": load.disk_free_mb << 20, "gpu_temp_cels": UNKNOWN * 1000,
    }  # fmt: skip
    return {name: known.get(name, UNKNOWN) for name in HEALTH_FIELDS}


def _counted(counts: MachineCounts) -> dict[str, int]:
    return {
        "proc_cpu_usage": round(counts.process_share * 100),
        "proc_memory": counts.process_kb,
        "proc_vmemory": counts.process_virtual_kb,
        "load_avg_5": round(counts.load_5m * 100),
        "load_avg_15": round(counts.load_15m * 100),
        "tot_rx_bytes": counts.received_bytes,
        "tot_rx_pkts": counts.received_packets,
        "tot_rx_errs": counts.received_errors,
        "tot_tx_bytes": counts.sent_bytes,
        "tot_tx_pkts": counts.sent_packets,
        "tot_tx_errs": counts.sent_errors,
        "disk_tot_reads": counts.disk_read_bytes,
        "disk_tot_writes": counts.disk_written_bytes,
    }


def _provider(provider: ProviderState, nodes: dict[str, str]) -> dict[str, object]:
    return {"class_type": provider.resource, "node_id": nodes[provider.node], "outputs": []}


def _instances(one: ComponentState, nodes: dict[str, str]) -> dict[str, object]:
    there = [_address(instance, nodes) for instance in one.instances]
    if one.resource:
        about = {
            "class_type": one.resource, "configuration": one.configuration, "workflow_id": one.workflow_id,
        }  # fmt: skip
        return {"Resource": [about, there[0] if there else NO_RESOURCE]}
    spec = {
        "id": one.component, "function_type": one.function_type, "version": "1", "binary": None, "code": "",
        "outputs": list(one.outputs),
    }  # fmt: skip
    request = {
        "spec": spec,
        "annotations": _annotations(one, nodes),
        "state_specification": {"state_id": one.id, "state_policy": "Global"},
        "workflow_id": one.workflow_id,
    }
    return {"Function": [request, there]}


def _annotations(one: ComponentState, nodes: dict[str, str]) -> dict[str, str]:
    found = {} if one.payload is None else {"init-payload": one.payload}
    if one.requires.nodes:
        found["node_id_match_any"] = ",".join(nodes.get(name, identities.of_node(name)) for name in one.requires.nodes)
    if one.requires.labels:
        found["label_match_all"] = ",".join(one.requires.labels)
    return found


def _address(instance: InstanceState, nodes: dict[str, str]) -> str:
    node = nodes.get(instance.node, identities.of_node(instance.node))
    return f"InstanceId(node_id: {node}, function_id: {instance.id})"


def _dependencies(one: ComponentState, ids: dict[str, str]) -> dict[str, str]:
    """EDGELESS has one target for each output; here the second is told as OUTPUT.2."""
    return {
        channel if number == 1 else f"{channel}.{number}": ids[f"{one.workflow}.{target}"]
        for channel, targets in one.outputs.items()
        for number, target in enumerate(targets, 1)
    }
