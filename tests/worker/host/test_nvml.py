"""What NVIDIA's library says, as a twin of it in memory says it, in the lines that nvidia-smi has."""

import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from attacca.model.machine import Device
from attacca.worker.core.energy.said import nvidia_watts
from attacca.worker.host import nvml
from attacca.worker.host.accelerators import devices_of


class Memory(NamedTuple):
    total: int


class Whole(NamedTuple):
    number: int
    uuid: str | bytes
    mib: int
    mw: int | None = None
    slices: "tuple[Whole | None, ...] | None" = None  # None: it cannot be cut
    is_cut: bool = True


class Library:
    """`nvidia-ml-py`, as far as it is asked. None is a device that has fallen off its bus."""

    class NVMLError(Exception):
        pass

    def __init__(self, *there: Whole | None) -> None:
        self._there = there

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802 - the library's names, here and below
        return len(self._there)

    def nvmlDeviceGetHandleByIndex(self, place: int) -> Whole:  # noqa: N802
        return self._given(self._there[place])

    def nvmlDeviceGetMinorNumber(self, one: Whole) -> int:  # noqa: N802
        return one.number

    def nvmlDeviceGetName(self, one: Whole) -> bytes:  # noqa: N802
        return b"NVIDIA H200, made up"

    def nvmlDeviceGetUUID(self, one: Whole) -> str | bytes:  # noqa: N802
        return one.uuid

    def nvmlDeviceGetMemoryInfo(self, one: Whole) -> Memory:  # noqa: N802
        return Memory(one.mib << 20)

    def nvmlDeviceGetMigMode(self, one: Whole) -> tuple[int, int]:  # noqa: N802
        if one.slices is None:
            raise self.NVMLError("Not Supported")
        return int(one.is_cut), 1

    def nvmlDeviceGetMaxMigDeviceCount(self, one: Whole) -> int:  # noqa: N802
        return len(one.slices or ())

    def nvmlDeviceGetMigDeviceHandleByIndex(self, one: Whole, place: int) -> Whole:  # noqa: N802
        return self._given((one.slices or ())[place])

    def nvmlDeviceGetPowerUsage(self, one: Whole) -> int:  # noqa: N802
        if one.mw is None:
            raise self.NVMLError("Not Supported")
        return one.mw

    def _given(self, one: Whole | None) -> Whole:
        if one is None:
            raise self.NVMLError("GPU is lost")
        return one


CUT = Whole(2, "GPU-cc", 1, 61_250, (None, Whole(0, "MIG-1", 20_096), Whole(0, b"MIG-2", 20_096)))


def test_a_device_is_a_line_and_one_that_is_cut_is_its_slices(capsys: pytest.CaptureFixture[str]) -> None:
    library = Library(Whole(1, b"GPU-aa", 143_771), None, CUT, Whole(3, "GPU-dd", 5, None, (None,), is_cut=False))
    model = "NVIDIA H200, made up"
    assert devices_of("\n".join(nvml.devices(library))) == (
        Device(name="GPU-aa", number=1, memory_mb=143_771, model=model, is_found=True),
        Device(name="MIG-1", number=2, memory_mb=20_096, model=model, is_found=True),
        Device(name="MIG-2", number=2, memory_mb=20_096, model=model, is_found=True),
        Device(name="GPU-dd", number=3, memory_mb=5, model=model, is_found=True),
    )
    assert capsys.readouterr().err == "device 1: GPU is lost\n"


def test_watts_of_each_that_says_them() -> None:
    assert nvidia_watts("\n".join(nvml.watts(Library(Whole(0, "GPU-aa", 1), CUT)))) == {"1": 61.25}


def test_it_is_asked_only_where_its_driver_is(tmp_path: Path) -> None:
    assert nvml.can_answer([str(tmp_path / "none"), str(tmp_path)])
    assert not nvml.can_answer([str(tmp_path / "none")])


def test_where_there_is_no_library_it_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert nvml.main(["devices"]) == 1
    assert "pynvml" in capsys.readouterr().err
