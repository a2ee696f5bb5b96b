from pathlib import Path

from attacca.worker.config import WorkerConfig
from attacca.worker.host.machine import found, memory_mb_of, processors_of

CPUINFO = """processor\t: 0
model name\t: A processor
cpu MHz\t\t: 2000.000
physical id\t: 0
core id\t\t: 0

processor\t: 1
model name\t: A processor
cpu MHz\t\t: 2400.5
physical id\t: 0
core id\t\t: 0

"""


def test_what_the_system_says_is_read() -> None:
    assert processors_of(CPUINFO) == (2, 1, 2400.5, "A processor")
    assert processors_of("") == (0, 0, 0.0, "")
    assert memory_mb_of("MemTotal:       2097152 kB\nMemFree: 1 kB\n") == 2048
    assert memory_mb_of("") == 0


def test_what_is_declared_goes_before_what_is_found(tmp_path: Path) -> None:
    config = WorkerConfig(labels=("gpu",), tee=True, tpm=True, latency_ms={"w2": 3.0})
    machine = found(config, tmp_path, ["redis", "file-log"], ("a WebAssembly module",))
    assert (machine.labels, machine.tee, machine.tpm) == (("gpu",), True, True)
    assert machine.resources == ("file-log", "redis")
    assert machine.latency_ms == {"w2": 3.0}
    assert machine.processors >= machine.cores >= 1
    assert machine.memory_mb > 0
    assert machine.disk_mb > 0
    assert not found(WorkerConfig(tee=False), tmp_path, [], ()).tee
