from attacca.model.monitor import DiskRates, NetworkRates, Pressure
from attacca.model.resources import Resources
from attacca.model.sandbox import MachineLoad, WorkerView
from attacca.worker.points import points

LOAD = MachineLoad(
    cpu_share=0.5, load_1m=3.0, memory_free_mb=250, disk_free_mb=1, received_mb_s=0, sent_mb_s=0, memory_mb=1000,
    pressure=Pressure(io_some=0.5), disks=(DiskRates(name="sda"),), networks=(NetworkRates(name="eth0"),),
)  # fmt: skip


def view(load: MachineLoad | None) -> WorkerView:
    return WorkerView(
        name="w1", capacity=Resources(100), used=Resources(30), queued=1, running=2, limit=3, cores=2, load=load
    )


def test_a_workers_load_has_the_names_of_iluvatar() -> None:
    load, machine, disk, network = points(view(LOAD), 5.0)
    assert (load.measurement, load.tags, load.at) == ("worker_load", (("name", "w1"), ("node_type", "worker")), 5.0)
    assert dict(load.fields) == {
        "cpu_loadavg": 1.5, "gpu_loadavg": 0.0, "cpu_util": 50.0, "cpu_queue_len": 1, "gpu_queue_len": 0,
        "host_mem_pct": 75.0, "num_running_funcs": 2,
    }  # fmt: skip
    assert dict(machine.fields)["pressure_io"] == 0.5
    assert [dict(one.tags)["device"] for one in (disk, network)] == ["sda", "eth0"]


def test_of_a_machine_that_nobody_measures_nothing_is_told() -> None:
    assert points(view(None), 5.0) == []
