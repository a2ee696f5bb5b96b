"""What nvidia-smi says, read; stand-ins of it are asked in tests/live/test_gpu.py."""

from pathlib import Path

import pytest

from attacca.kernel.clock import ManualClock
from attacca.model.machine import Device
from attacca.worker.config import AcceleratorsConfig, WorkerConfig
from attacca.worker.host.accelerators import devices_of, equipped
from attacca.worker.runtime.looking import Looking, watched
from attacca.worker.runtime.scripted import ScriptedMachine
from attacca.worker.runtime.simulated import SimulatedRuntime

TOLD = """0, GPU-5a3b, 24576, NVIDIA A30
1, GPU-77c1, [N/A], NVIDIA A30, the other one
1, GPU-77c1, 24576, NVIDIA A30
Unable to determine the device handle for GPU2: Unknown Error
x, GPU-1, 1, y
3, ../../etc, 1, y
4, GPU-9
"""


def test_a_line_is_a_device_and_what_is_none_is_passed_over() -> None:
    assert devices_of(TOLD) == (
        Device(name="GPU-5a3b", number=0, memory_mb=24576, model="NVIDIA A30", is_found=True),
        Device(name="GPU-77c1", number=1, model="NVIDIA A30, the other one", is_found=True),
    )
    assert devices_of("") == ()
    assert devices_of("No devices were found\n") == ()


def test_a_device_has_the_number_of_its_name_unless_it_is_said() -> None:
    assert [Device(name=name).file_number for name in ("3", "GPU-5a3b")] == ["3", ""]
    assert Device(name="GPU-5a3b", number=7).file_number == "7"


def test_who_is_not_to_look_finds_nothing() -> None:
    quiet = WorkerConfig(accelerators=AcceleratorsConfig(find=False))
    assert equipped(quiet) is quiet


def test_slices_are_not_asked_for_where_only_the_whole_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    runtime = SimulatedRuntime(ScriptedMachine(ManualClock()))
    wholes, slices = (Looking(runtime, [name], (), 1.0).programs() for name in ("GPU-1", "MIG-1"))
    assert wholes[-1][0] == str(tmp_path / "nvidia-smi")
    assert wholes[:-1] == slices


def test_only_what_was_found_is_watched() -> None:
    runtime = SimulatedRuntime(ScriptedMachine(ManualClock()))
    declared, found = Device(name="0"), Device(name="1", is_found=True)
    assert watched(AcceleratorsConfig(devices=(declared,)), runtime) is runtime
    assert watched(AcceleratorsConfig(devices=(found,), look_s=0), runtime) is runtime
    both = watched(AcceleratorsConfig(devices=(declared, found)), runtime)
    assert isinstance(both, Looking)
    assert repr(both) == "<Looking for 1 devices, 1 seen>"
