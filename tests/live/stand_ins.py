"""Stand-ins for what measures energy, where nothing does: a counter that follows this machine's own processors, and
programs that say what real ones say."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from attacca.worker.host.counters import processor_ticks
from attacca.worker.host.load import TICKS_S
from tests.worker.host.energy.tree import zone

IDLE_W, CORE_W, EVERY_S = 20.0, 50.0, 0.02
PROGRAMS = {
    "ipmitool": """
[ "$*" = "dcmi power reading" ] || exit 1
echo
echo "    Instantaneous power reading:                   220 Watts"
echo "    Minimum during sampling period:                 18 Watts"
""",
    "nvidia-smi": 'echo "0, 61.25"; echo "1, [N/A]"',
    "tegrastats": "while :; do echo 'RAM 1/2MB VDD_GPU_SOC 1600mW/1600mW VIN_SYS_5V0 3024mW/3024mW'; sleep 0.05; done",
    "perf": """
case "$*" in
*inst_retired*true|*LLC*true) echo '<not supported>,,'"$9"',0,100.00,,'; exit 0;;
*true) echo '1.50,Joules,power/energy-pkg/,1000,100.00,,'; exit 0;;
esac
number=1
while :; do
    echo "     $number.000100000,2.50,Joules,power/energy-pkg/,100000,100.00,," >&2
    echo "     $number.000100000,<not counted>,Joules,power/energy-ram/,0,100.00,," >&2
    number=$((number + 1))
    sleep 0.05
done
""",
}


def programs(at: Path, **others: str) -> Path:
    """A directory for the PATH."""
    at.mkdir()
    for name, text in {**PROGRAMS, **others}.items():
        (at / name).write_text(f"#!/bin/sh\n{text}\n")
        (at / name).chmod(0o755)
    return at


@contextmanager
def counter(root: Path) -> Iterator[Path]:
    """Of a package that takes IDLE_W, and CORE_W for each busy processor."""
    over = threading.Event()

    def busy_s() -> float:
        ticks = processor_ticks(Path("/proc/stat").read_text())
        return (ticks.user + ticks.system) / TICKS_S

    began, busy = monotonic(), busy_s()
    energy = root / "intel-rapl:0" / "energy_uj"

    def count() -> None:
        while not over.wait(EVERY_S):
            joules = IDLE_W * (monotonic() - began) + CORE_W * (busy_s() - busy)
            energy.with_name("new").write_text(f"{int(joules * 1e6)}\n")
            energy.with_name("new").rename(energy)

    zone(root, "intel-rapl:0", "package-0", 0)
    thread = threading.Thread(target=count)
    thread.start()
    try:
        yield root
    finally:
        over.set()
        thread.join()
