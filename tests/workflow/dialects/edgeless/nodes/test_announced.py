"""What real nodes of v1.2.0 have said, word by word, and what none of them would say."""

from typing import Any

import msgspec
import pytest
from google.protobuf import text_format

from attacca.errors import BadRequest
from attacca.model.samples import Entry, Measure, Sample
from attacca.workflow.core.identities import of_node
from attacca.workflow.dialects.edgeless.nodes.announced import Announced, Unusable, announced, samples
from attacca.workflow.dialects.edgeless.nodes.register import Join, Leave, Register
from attacca.workflow.dialects.edgeless.words import words
from tests.cases import each

pytestmark = pytest.mark.long  # messages of another's are made

NODE = "c1958bff-e06a-4848-92df-f171c73f600c"
FIRST = """
node_id: "c1958bff-e06a-4848-92df-f171c73f600c" agent_url: "http://127.0.0.1:27205"
invocation_url: "http://127.0.0.1:27206"
resource_providers { provider_id: "vm-http-ingress-1" class_type: "http-ingress" outputs: "new_request" }
resource_providers { provider_id: "vm-file-log-1" class_type: "file-log" }
capabilities {
  num_cpus: 2 model_name_cpu: "AMD EPYC" clock_freq_cpu: 2596 num_cores: 2 mem_size: 24105 labels: "hostname=vm"
  runtimes: "RUST_WASM" disk_tot_space: 258019
}
refresh_deadline: 1795884190 nonce: 13114128286994144382
health_status {
  mem_free: 18089776 mem_available: 23277924 proc_memory: 39440 proc_vmemory: 342676 load_avg_1: 216 load_avg_5: 187
  load_avg_15: 113 tot_rx_bytes: 2165356890 tot_rx_pkts: 2883307 tot_tx_bytes: 2868060 tot_tx_pkts: 880679592
  disk_free_space: 270553174016 disk_tot_reads: 3285024768 disk_tot_writes: 10680082432
}
"""
SAMPLES = """
function_instantiate_times {
  id: "848f9235-11b4-4a7c-b81d-33e57a35b4e8"
  samples { timestamp_sec: 1795884189 timestamp_ns: 444553563 sample: 0.249992912 }
}
function_execution_times { id: "another" samples { timestamp_sec: 1 sample: 2 } }
function_log_entries {
  id: "848f9235-11b4-4a7c-b81d-33e57a35b4e8"
  entries { timestamp_sec: 1795884189 timestamp_ns: 500000000 target: "messaging_test" msg: "Messaging Test Init" }
}
"""
AT = 1795884186.0


def parsed(text: str, kind: str = "UpdateNodeRequest", **fields: Any) -> Any:
    message = text_format.Parse(text, getattr(words(), kind)())
    for name, value in fields.items():
        setattr(message, name, value)
    return message


def test_a_real_node_is_understood() -> None:
    told = announced(parsed(FIRST), AT)
    assert (told.name, told.nonce, told.patience_s) == (f"edgeless:{NODE}", 13114128286994144382, 4.0)
    assert (told.agent, told.invocation) == ("127.0.0.1:27205", "127.0.0.1:27206")
    machine = told.machine
    assert (machine.processors, machine.cores, machine.mhz, machine.memory_mb) == (2, 2, 2596.0, 24105)
    assert (machine.labels, machine.resources) == (("hostname=vm",), ("file-log", "http-ingress"))
    assert machine.events == ("a WebAssembly module",)
    assert (told.load.load_1m, told.load.cpu_share, told.load.memory_free_mb) == (2.16, 1.0, 22732)
    assert of_node(told.name) == NODE, "its own tools know it by its own id"


def test_who_has_no_processors_or_no_runtime_hosts_resources_only() -> None:
    for field, value in (("num_cpus", 0), ("runtimes", [])):
        message = parsed(FIRST)
        message.capabilities.ClearField(field)
        machine = announced(message, AT).machine
        assert machine.events == (), value
        assert machine.resources == ("file-log", "http-ingress")


@each(
    "fields, error",
    [
        ({"node_id": "x"}, BadRequest),
        ({"agent_url": "https://127.0.0.1:1"}, Unusable),
        ({"agent_url": "http://10.0.0.1:1"}, Unusable),
        ({"agent_url": "http://example.org:1"}, Unusable),
        ({"invocation_url": "http://127.0.0.1:65536"}, Unusable),
        ({"invocation_url": ""}, Unusable),
        ({"invocation_url": "coap://127.0.0.1:7000"}, Unusable),
    ],
)
def test_what_is_no_node_is_refused(fields: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        announced(parsed(FIRST, **fields), AT)


def test_what_says_too_much_is_refused() -> None:
    for change in ('resource_providers { class_type: "x" }', f'capabilities {{ labels: "{"x" * 201}" }}'):
        with pytest.raises(BadRequest):
            announced(parsed(FIRST.replace("capabilities {", f"{change} capabilities {{", 1) if "res" in change else
                             FIRST.replace('labels: "hostname=vm"', f'labels: "{"x" * 201}"')), AT)  # fmt: skip
    many = parsed(FIRST)
    for number in range(300):
        many.resource_providers.add(provider_id=str(number), class_type="x")
    with pytest.raises(BadRequest):
        announced(many, AT)


def test_its_samples_are_of_the_instances_that_it_has_from_here() -> None:
    message = parsed(SAMPLES, "NodePerformanceSamples")
    taken, entries, lost = samples(message, {"848f9235-11b4-4a7c-b81d-33e57a35b4e8": "w.f.1"})
    assert taken == (Sample("w.f.1", Measure.INSTANTIATE, 1795884189.444553563, 0.249992912),)
    assert entries == (Entry("w.f.1", 1795884189.5, "info", "messaging_test", "Messaging Test Init"),)
    assert lost == 0


def told(nonce: int = 1, patience_s: float = 4.0) -> Announced:
    return msgspec.structs.replace(announced(parsed(FIRST), AT), nonce=nonce, patience_s=patience_s)


def test_a_node_is_there_until_its_deadline_and_anew_with_another_nonce() -> None:
    register = Register()
    assert register.hear(0.0, told()) == [Join(told())]
    assert register.hear(2.0, told()) == []
    assert repr(register) == "<Register of 1 nodes>"
    assert register.expire(6.0) == []
    again = register.hear(6.0, told(2))
    assert again == [Leave(told().name, "it has begun anew"), Join(told(2))]
    assert register.hear(7.0, told(2)) == [], "the new one has replaced the old one"
    assert (register.late(11.0), register.late(11.1), register.expire(47.0)) == ([], [told(2)], [])
    assert register.expire(47.1) == [Leave(told().name, "it has not said in time that it is there")]
    assert register.hear(50.0, told(2)) == [Join(told(2))]
    assert register.leave(told().name, "nothing listens there") == Leave(told().name, "nothing listens there")
    assert register.hear(50.5, told(2)) == [Join(told(2))]
