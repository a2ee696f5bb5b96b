"""The keys of EDGELESS's proxy, key by key as its dumps have them."""

import json

import msgspec

from attacca.model.machine import Machine
from attacca.model.sandbox import MachineCounts, MachineLoad
from attacca.model.workflow import Requirements
from attacca.workflow.core.state import ComponentState, DomainState, InstanceState, NodeState, ProviderState
from attacca.workflow.mirror.config import Shape
from attacca.workflow.mirror.keys import fixed, healths, samples, texts, updates
from attacca.workflow.mirror.writes import Append, Score, Set
from tests.cases import each

NODE, LOG, F, PID = (f"{number}0000000-0000-4000-8000-000000000000" for number in (1, 2, 3, 4))
WORKFLOW = "50000000-0000-4000-8000-000000000000"
LOAD = MachineLoad(
    cpu_share=0.25,
    load_1m=4.12,
    memory_free_mb=2048,
    disk_free_mb=10,
    received_mb_s=0.5,
    sent_mb_s=0.25,
    counts=MachineCounts(
        load_5m=2.67,
        load_15m=1.5,
        received_bytes=9,
        received_packets=8,
        received_errors=7,
        sent_bytes=6,
        sent_packets=5,
        sent_errors=4,
        disk_read_bytes=3,
        disk_written_bytes=2,
        process_share=0.125,
        process_kb=56744,
        process_virtual_kb=257124,
    ),
)
MACHINE = Machine(
    processors=2, cores=1, mhz=2596.5, model="AMD EPYC", memory_mb=24105, disk_mb=258019, labels=("zone-a",), tee=True
)
STATE = DomainState(
    domain="home",
    nodes=(
        NodeState(
            name="n1", id=NODE, is_cordoned=False, cores=2, memory_mb=1000, reserved_mb=128,
            labels=("hostname=n1", "zone-a"), load=LOAD, machine=MACHINE,
        ),
    ),
    providers=(ProviderState(name="n1-file-log", resource="file-log", node="n1"),),
    components=(
        ComponentState(
            name="w.f", id=F, workflow="w", workflow_name="demo", workflow_id=WORKFLOW,
            component="f", function_type="PYTHON", payload="8",
            memory_mb=128, requires=Requirements(nodes=("n1",), labels=("a", "b")),
            outputs={"out": ("log", "f"), "err": ("log",)},
            instances=(InstanceState(name="w.f.1", id=PID, node="n1", is_up=True),),
        ),
        ComponentState(
            name="w.log", id=LOG, workflow="w", workflow_name="demo", workflow_id=WORKFLOW,
            component="log", resource="file-log", configuration={"filename": "x"}, memory_mb=32, outputs={},
            instances=(),
        ),
    ),
)  # fmt: skip


def test_the_state_is_told_by_the_keys_of_the_newest() -> None:
    found = texts(STATE, Shape.NEWEST)
    assert sorted(found) == [
        f"dependency:{F}", "domain_info:domain_id", f"instance:{LOG}", f"instance:{F}", f"node:capabilities:{NODE}",
        "provider:n1-file-log",
    ]  # fmt: skip
    assert found["domain_info:domain_id"] == "home"
    assert found["provider:n1-file-log"] == f'{{"class_type":"file-log","node_id":"{NODE}","outputs":[]}}'
    assert json.loads(found[f"dependency:{F}"]) == {"out": LOG, "out.2": F, "err": LOG}
    assert found[f"instance:{F}"] == (
        '{"Function":[{"spec":{"id":"f","function_type":"PYTHON","version":"1","binary":null,"code":"",'
        '"outputs":["out","err"]},"annotations":{"init-payload":"8","node_id_match_any":"' + NODE + '",'
        '"label_match_all":"a,b"},"state_specification":{"state_id":"' + F + '","state_policy":"Global"},'
        f'"workflow_id":"{WORKFLOW}"}},["InstanceId(node_id: {NODE}, function_id: {PID})"]]}}'
    )
    assert found[f"instance:{LOG}"] == (
        '{"Resource":[{"class_type":"file-log","configuration":{"filename":"x"},"workflow_id":"' + WORKFLOW + '"},'
        '"InstanceId(node_id: 00000000-0000-0000-0000-fffe00000000, function_id: '
        '00000000-0000-0000-0000-fffd00000000)"]}'
    )
    capabilities = json.loads(found[f"node:capabilities:{NODE}"])
    assert list(capabilities) == [
        "num_cpus", "model_name_cpu", "clock_freq_cpu", "num_cores", "mem_size", "labels", "is_tee_running", "has_tpm",
        "runtimes", "disk_tot_space", "num_gpus", "model_name_gpu", "mem_size_gpu",
    ]  # fmt: skip
    assert (capabilities["labels"], capabilities["mem_size"]) == (["hostname=n1", "zone-a"], 24105)


def test_the_document_spells_one_key_its_own_way() -> None:
    known = set(texts(STATE, Shape.NEWEST)) - {"domain_info:domain_id"}
    assert set(texts(STATE, Shape.DOCUMENT)) == known | {f"nodes:capabilities:{NODE}"}
    assert set(texts(STATE, Shape.BOTH)) == known | {f"nodes:capabilities:{NODE}", "domain_info:domain_id"}


def test_what_was_written_says_when() -> None:
    changed = [f"node:capabilities:{NODE}", f"nodes:capabilities:{NODE}", f"instance:{F}"]
    assert updates(changed, Shape.BOTH, 1795884372.067766) == {
        "node:capabilities:last_update": "1795884372.067766", "instance:last_update": "1795884372.067766",
    }  # fmt: skip
    assert updates(changed, Shape.DOCUMENT, 1.0) == {}


def test_health_is_a_text_or_a_member() -> None:
    [score] = healths(STATE, Shape.NEWEST, 5.5)
    assert isinstance(score, Score)
    assert (score.key, score.at, score.is_fleeting) == (f"node:health:{NODE}", 5.5, False)
    health = json.loads(score.member)
    assert len(health) == 21
    assert all(isinstance(value, int) for value in health.values())
    assert (health["mem_free"], health["mem_used"], health["load_avg_1"]) == (2_097_152, 22_586_368, 412)
    assert (health["proc_cpu_usage"], health["disk_free_space"]) == (12, 10_485_760)
    assert healths(STATE, Shape.BOTH, 5.5) == [score]
    assert healths(STATE, Shape.DOCUMENT, 5.5) == [Set(score.key, score.member)]
    unmeasured = msgspec.structs.replace(STATE, nodes=(msgspec.structs.replace(STATE.nodes[0], load=None),))
    assert healths(unmeasured, Shape.BOTH, 5.5) == []


def test_samples_are_in_a_list_and_in_a_sorted_set() -> None:
    def told(metric: str, shape: Shape) -> list[object]:
        return [*samples(PID, metric, 1725557090.09234, "0.24337", shape)]

    name = "function_execution_time"
    score = Score(f"performance:{PID}:{name}", "1725557090.09234:0.24337", 1725557090.09234, is_fleeting=True)
    line = Append(f"performance:{name}:{PID}", "0.24337,1725557090.092")
    assert told(name, Shape.NEWEST) == [score]
    assert told(name, Shape.DOCUMENT) == [line]
    assert told(name, Shape.BOTH) == [score, line]
    assert told("function_init_time", Shape.DOCUMENT) == [], "the document has execution times alone"
    assert len(told("function_init_time", Shape.BOTH)) == 1


@each(
    "number, text",
    [
        (0.00000674, "0.00000674"),
        (1.0, "1"),
        (1e22, "10000000000000000000000"),
        (0.1, "0.1"),
        (1795884372.067766, "1795884372.067766"),
    ],
)
def test_numbers_have_no_exponent(number: float, text: str) -> None:
    assert fixed(number) == text
