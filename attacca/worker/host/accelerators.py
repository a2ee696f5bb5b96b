"""Which accelerators this machine has: by NVIDIA's library or nvidia-smi, or as the worker's settings declare them."""

import shutil
import subprocess
import sys

import msgspec

from attacca.model.machine import Device
from attacca.worker.config import WorkerConfig
from attacca.worker.host import nvml
from attacca.worker.host.energy.programs import plain

PROGRAM = "nvidia-smi"
QUERY = ("--query-gpu=index,uuid,memory.total,name", "--format=csv,noheader,nounits")
TIMEOUT_S = 10.0
LINES_MOST = 64
MODEL_MOST = 100


def equipped(config: WorkerConfig) -> WorkerConfig:
    """With what is found, beside what is declared. Blocking, for a moment."""
    settings = config.accelerators
    if not settings.find:
        return config
    declared = {device.name for device in settings.devices}
    more = tuple(device for device in found() or () if device.name not in declared)
    both = msgspec.structs.replace(settings, devices=(*settings.devices, *more))
    return msgspec.structs.replace(config, accelerators=both)


def found() -> tuple[Device, ...] | None:
    """What the first of the programs lists that answers; None: none does. Blocking, for a moment."""
    for program in programs():
        try:
            told = subprocess.run(program, capture_output=True, timeout=TIMEOUT_S, check=False, env=plain())
        except (OSError, subprocess.SubprocessError):
            continue
        if program[0] != sys.executable or told.returncode == 0:
            return devices_of(told.stdout.decode(errors="replace"))
    return None


def programs() -> list[list[str]]:
    """That can be asked for devices, and say them alike: NVIDIA's library, where its driver is and Python's package for
    it, which has answered where it ends with 0; and nvidia-smi."""
    program = shutil.which(PROGRAM)
    with_library = [[sys.executable, "-P", nvml.__file__, "devices"]] if nvml.can_answer() else []
    return [*with_library, *([[program, *QUERY]] if program is not None else [])]


def devices_of(text: str) -> tuple[Device, ...]:
    """A line is number, UUID, memory in MiB, model. One that is not is passed over; of two of one name the first
    stays."""
    devices: dict[str, Device] = {}
    for line in text.splitlines()[:LINES_MOST]:
        fields = [field.strip() for field in line.split(",", 3)]
        if len(fields) == 4 and fields[0].isdecimal():
            number, name, memory, model = fields
            told = {"name": name, "memory_mb": int(memory) if memory.isdecimal() else 0, "model": model[:MODEL_MOST]}
            try:
                device = msgspec.convert({**told, "number": int(number), "is_found": True}, Device)
            except msgspec.ValidationError:
                continue
            devices.setdefault(device.name, device)
    return tuple(devices.values())
