import asyncio
from pathlib import Path

import msgspec

from attacca.kernel.clock import ManualClock
from attacca.model.events import Samples
from attacca.model.machine import Machine
from attacca.model.samples import Entry, Measure, Sample
from attacca.model.sandbox import MachineLoad
from attacca.workflow.core.identities import of_instance
from attacca.workflow.core.state import ComponentState, DomainState, InstanceState, NodeState
from attacca.workflow.dataset import CAPABILITIES, COLUMNS, HEALTH, MAPPING, Dataset, DatasetConfig, changed, line
from attacca.workflow.mirror import keys
from tests.logged import Logged

LOAD = MachineLoad(cpu_share=0.5, load_1m=2.0, memory_free_mb=10, disk_free_mb=20, received_mb_s=0.5, sent_mb_s=0.25)
NODE = NodeState(
    name="n1",
    id="node",
    is_cordoned=False,
    cores=2,
    memory_mb=100,
    reserved_mb=1,
    labels=("a", "b"),
    load=LOAD,
    machine=Machine(processors=2, cores=2),
)
PART = ComponentState(
    name="w1.a", id="logical", workflow="w1", workflow_name="w", workflow_id="workflow", component="a", memory_mb=1,
    outputs={}, instances=(InstanceState(name="w1.a.1", id="physical", node="n1", is_up=True),),
)  # fmt: skip
STATE = DomainState(domain="d", nodes=(NODE,), components=(PART,))
TOLD = Samples(
    "n1", (), (Sample("w1.a.1", Measure.CALL, 1725557090.92, 0.00000674),), (Entry("w1.a.1", 1.5, "info", "t", "a,b"),)
)


def test_columns_are_those_of_what_a_node_tells() -> None:
    assert COLUMNS[CAPABILITIES][2:] == tuple(keys.capabilities(NODE))
    assert COLUMNS[HEALTH][2:] == tuple(keys.health(NODE, LOAD))


def test_what_changes_is_a_row_and_what_does_not_is_none() -> None:
    first = changed(DomainState(domain=""), STATE, 7.5)
    assert [name for name, _ in first] == [CAPABILITIES, HEALTH, MAPPING]
    assert first[2][1] == (7.5, "logical", "workflow", "node", "physical")
    assert changed(STATE, STATE, 8.5) == []
    busier = msgspec.structs.replace(NODE, load=msgspec.structs.replace(LOAD, load_1m=3.0))
    gone = msgspec.structs.replace(PART, instances=())
    second = DomainState(domain="d", nodes=(busier,), components=(gone,))
    assert [name for name, _ in changed(STATE, second, 9.5)] == [HEALTH]
    assert [name for name, _ in changed(second, STATE, 9.5)] == [HEALTH, MAPPING]


def test_a_line_has_what_stands_before_it_and_numbers_without_exponents() -> None:
    assert line("", (0.00000674, True, [], ["a", "b"], 'say "x"\n')) == ',0.00000674,true,[],[a;b],"say ""x""\n"\n'
    assert line("s,1", (2,)) == "s,1,2\n"


def written(directory: Path, *, append: bool) -> Dataset:
    prefix = f"{directory}/new/run-"
    config = DatasetConfig(path=prefix, append=append, additional_header="seed", additional_fields="42")
    dataset = Dataset(config, ManualClock(100.0), lambda: STATE)

    async def live() -> None:
        dataset.open()
        dataset.collect(TOLD)
        await dataset.close()

    asyncio.run(live())
    return dataset


def test_five_files_are_written_and_gone_on_with(tmp_path: Path) -> None:
    assert repr(written(tmp_path, append=True)) == "<Dataset of 0 files, 5 rows>"
    logs = tmp_path / "new" / "run-application_logs.csv"
    head, row = "seed,identifier,target,timestamp,value\n", f'42,{of_instance("w1.a.1")},t,1.5,"a,b"\n'
    assert logs.read_text() == head + row
    samples = (tmp_path / "new" / "run-performance_samples.csv").read_text().splitlines()
    assert samples[1] == f"42,{of_instance('w1.a.1')},function_execution_time,1725557090.92,0.00000674"
    capabilities = (tmp_path / "new" / "run-capabilities.csv").read_text().splitlines()[1]
    assert capabilities.startswith("42,100,node,2,,0,2,100,[a;b],false,false,")
    written(tmp_path, append=True)
    assert logs.read_text() == head + row * 2
    written(tmp_path, append=False)
    assert logs.read_text() == head + row
    assert len(list((tmp_path / "new").iterdir())) == len(COLUMNS)


def test_a_domain_goes_on_without_them(tmp_path: Path, logged: Logged) -> None:
    (tmp_path / "new").write_text("a file where the directory is to be")
    assert written(tmp_path, append=True).rows == 0
    assert "no data sets are written any more" in "\n".join(logged.messages)
