"""What this machine is, as the system says; what cannot be found is declared in the worker's settings."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from attacca.model.machine import Machine
from attacca.worker.config import WorkerConfig

CPUINFO, MEMINFO, TPM = Path("/proc/cpuinfo"), Path("/proc/meminfo"), Path("/dev/tpmrm0")
GUESTS = (Path("/dev/sev-guest"), Path("/dev/tdx_guest"))  # inside of a confidential virtual machine
MB = 1 << 20


def found(
    config: WorkerConfig,
    disk: Path,
    resources: Iterable[str],
    events: tuple[str, ...],
    networks: dict[str, tuple[str, ...]] | None = None,
    makers: dict[str, str] | None = None,
) -> Machine:
    """`disk`: on which its state lies; `resources`: the classes that it hosts; `events`, `networks`, `makers`: see
    `Machine`."""
    processors, cores, mhz, model = processors_of(_text(CPUINFO))
    return Machine(
        processors=processors or os.cpu_count() or 1,
        cores=cores or processors or 1,
        mhz=mhz,
        model=model,
        memory_mb=memory_mb_of(_text(MEMINFO)),
        disk_mb=shutil.disk_usage(disk).total // MB,
        labels=config.labels,
        tee=any(path.exists() for path in GUESTS) if config.tee is None else config.tee,
        tpm=TPM.exists() if config.tpm is None else config.tpm,
        resources=tuple(sorted(resources)),
        events=events,
        networks=networks,
        makers=makers,
        latency_ms=config.latency_ms,
        devices=config.accelerators.devices,
    )


def processors_of(cpuinfo: str) -> tuple[int, int, float, str]:
    """How many the system sees, of how many cores, in MHz, and what they are called; 0 and empty: it is not said."""
    blocks = [dict(_fields(block)) for block in cpuinfo.split("\n\n") if "processor" in block]
    cores = {(block.get("physical id", ""), block["core id"]) for block in blocks if "core id" in block}
    speeds = [float(block["cpu MHz"]) for block in blocks if "cpu MHz" in block]
    model = next((block["model name"] for block in blocks if "model name" in block), "")
    return len(blocks), len(cores), max(speeds, default=0.0), model


def memory_mb_of(meminfo: str) -> int:
    total = dict(_fields(meminfo)).get("MemTotal", "0 kB")
    return int(total.split()[0]) // 1024


def _fields(text: str) -> list[tuple[str, str]]:
    pairs = [line.partition(":") for line in text.splitlines()]
    return [(name.strip(), value.strip()) for name, _, value in pairs]


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
