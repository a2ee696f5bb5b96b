"""Reads a mirror as EDGELESS's proxy_cli does, as strictly: which keys it asks for, what it makes of them, and what it
prints. What the real one printed of the same keys is in `proxy_cli.txt`."""

import json
import re
from typing import Any

from attacca.workflow.core.identities import is_uuid
from attacca.workflow.mirror.memory import Value

INSTANCE = re.compile(r"InstanceId\(node_id: ([0-9a-f-]{36}), function_id: ([0-9a-f-]{36})\)")
HEALTH = (
    "memory free {mem_free} kb, used {mem_used} kb, available {mem_available} kb, process cpu usage {proc_cpu_usage}%, "
    "memory {proc_memory} kb, vmemory {proc_vmemory} kb, load avg 1 minute {load_avg_1}% 5 minutes {load_avg_5}% "
    "15 minutes {load_avg_15}%, network tot rx {tot_rx_bytes} bytes ({tot_rx_pkts} pkts) {tot_rx_errs} errs, tot tx "
    "{tot_tx_bytes} bytes ({tot_tx_pkts} pkts) {tot_tx_errs} errs, disk available {disk_free_space} bytes, tot disk "
    "reads {disk_tot_reads} writes {disk_tot_writes}, gpu_load_perc {gpu_load_perc}%, gpu_temp_cels {celsius:.2f}°, "
    "active_power {active_power} mW"
)
CAPABILITIES = (
    "{num_cpus} {model_name_cpu} CPU(s) at {clock_freq_cpu:g} BogoMIPS, {num_cores} core(s), {mem_size} MiB memory, "
    "labels [{labels}]{marks}, runtimes [{runtimes}], disk space {disk_tot_space} MiB, {num_gpus} {model_name_gpu} "
    "GPU(s) {mem_size_gpu} MiB"
)


class Reader:
    def __init__(self, data: dict[str, Value], form: str = "hostname") -> None:
        self._data = data
        self.nodes = {key.split(":")[2]: self._json(key) for key in self._keys("node:capabilities:", 3)}
        self.names = {node: node for node in self.nodes}
        if form == "hostname":
            for node, found in self.nodes.items():
                name = next((one for one in found["labels"] if one.startswith("hostname=")), "")
                self.names[node] = name.removeprefix("hostname=") or node
        self.instances = {key.split(":")[1]: self._json(key) for key in self._keys("instance:", 2)}

    def _keys(self, prefix: str, tokens: int) -> list[str]:
        """`X:last_update` is no UUID."""
        assert float(str(self._data[f"{prefix}last_update"])) >= 0
        found = [key for key in self._data if key.startswith(prefix) and not key.endswith(":last_update")]
        assert all(len(key.split(":")) == tokens and is_uuid(key.split(":")[-1]) for key in found), found
        return sorted(found)

    def _json(self, key: str) -> Any:
        value = self._data[key]
        assert isinstance(value, str)
        return json.loads(value)

    def _places(self, lid: str) -> list[tuple[str, str]]:
        """(node, physical id) of each instance."""
        ((kind, (request, there)),) = self.instances[lid].items()
        assert is_uuid(request["workflow_id"])
        if kind == "Function":
            assert set(request["spec"]) == {"id", "function_type", "version", "binary", "code", "outputs"}
            assert set(request["state_specification"]) == {"state_id", "state_policy"}
        found = [INSTANCE.fullmatch(one) for one in (there if kind == "Function" else [there])]
        return [(one[1], one[2]) for one in found if one is not None]

    def _of(self, kind: str) -> list[str]:
        return [lid for lid, found in self.instances.items() if kind in found]

    def show(self, what: str) -> list[str]:
        match what:
            case "functions":
                return [
                    f"{lid} -> {','.join(node for node, _ in self._places(lid))}"
                    for lid in self._of("Function")
                    if self._places(lid)
                ]
            case "resources":
                return [f"{lid} -> {self._name(self._places(lid)[0][0])}" for lid in self._of("Resource")]
            case "logical-to-physical":
                return [f"{lid} -> {','.join(pid for _, pid in self._places(lid))}" for lid in self.instances]
            case "logical-to-workflow":
                return [f"{lid} -> {next(iter(one.values()))[0]['workflow_id']}" for lid, one in self.instances.items()]
            case "node capabilities":
                return [f"{self._name(node)} -> {self._capable(found)}" for node, found in self.nodes.items()]
            case "node health":
                return [f"{self._name(node)} -> {self._healthy(node)}" for node in self.nodes]
            case "node resource-providers":
                return [self._provider(key) for key in self._data if key.startswith("provider:") and "last" not in key]
            case _:
                return self._hosted()

    def _name(self, node: str) -> str:
        return self.names.get(node, node)

    def _capable(self, found: dict[str, Any]) -> str:
        lists = {name: ",".join(found[name]) for name in ("labels", "runtimes")}
        marks = ", TEE" * found["is_tee_running"] + ", TPM" * found["has_tpm"]
        return CAPABILITIES.format(**{**found, **lists}, marks=marks)

    def _healthy(self, node: str) -> str:
        members = self._data[f"node:health:{node}"]
        assert isinstance(members, dict)
        last = json.loads(max(members, key=lambda member: members[member]))
        return HEALTH.format(**last, celsius=last["gpu_temp_cels"] / 1000)

    def _provider(self, key: str) -> str:
        found = self._json(key)
        name = key.removeprefix("provider:")
        outputs = ",".join(found["outputs"])
        return f"{name} -> class_type {found['class_type']}, node_id {found['node_id']}, outputs [{outputs}]"

    def _hosted(self) -> list[str]:
        there: dict[str, list[str]] = {}
        for kind in ("Function", "Resource"):
            for lid in self._of(kind):
                for node, _ in self._places(lid):
                    there.setdefault(node, []).append(f"[{kind[0]}] {lid}")
        return [line for node in sorted(there) for line in (self._name(node), *there[node])]
