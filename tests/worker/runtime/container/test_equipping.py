"""What a container's specification has of the devices that its sandbox was given."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from attacca.errors import BadFunction, StartFailed
from attacca.model.function import Settings
from attacca.worker.runtime.container.equipping import equipped, expect_devices

SPEC: dict[str, Any] = {"process": {"env": []}, "mounts": [], "linux": {"resources": {"devices": []}}}
KIND = "maker.example/thing"


def given(gpu: float, names: str, numbers: str) -> Settings:
    return Settings(name="box", gpu=gpu, env={"CUDA_VISIBLE_DEVICES": names, "NVIDIA_VISIBLE_DEVICES": numbers})


def file(directory: Path, *names: str, path: str = "/dev/null") -> str:
    devices = [
        {"name": name, "containerEdits": {"env": [f"OF_{number}={name}"], "deviceNodes": [{"path": path}]}}
        for number, name in enumerate(names)
    ]
    (directory / "a.json").write_bytes(msgspec.json.encode({"cdiVersion": "1.0.0", "kind": KIND, "devices": devices}))
    return str(directory)


def test_each_device_is_found_by_its_name_or_its_number(tmp_path: Path) -> None:
    directory = file(tmp_path, "UUID-1", "3")
    told = equipped(SPEC, given(2, "UUID-1,UUID-3", "1,3"), KIND, [directory])
    assert told["process"]["env"] == ["OF_0=UUID-1", "OF_1=3"]
    assert [(one["path"], one["major"], one["minor"]) for one in told["linux"]["devices"]] == [("/dev/null", 1, 3)]


def test_who_has_a_slice_is_not_given_the_whole(tmp_path: Path) -> None:
    directory = file(tmp_path, "0", "MIG-2")
    told = equipped(SPEC, given(1, "MIG-2", "0"), KIND, [directory])
    assert told["process"]["env"] == ["OF_1=MIG-2"]
    with pytest.raises(StartFailed, match=r"has a device maker\.example/thing=MIG-1$"):
        equipped(SPEC, given(1, "MIG-1", "0"), KIND, [directory])


def test_where_nobody_tells_of_that_kind_it_is_as_it_was(tmp_path: Path) -> None:
    directory = file(tmp_path, "0")
    assert equipped(SPEC, given(1, "0", "0"), "other.example/thing", [directory]) is SPEC
    assert equipped(SPEC, given(1, "0", "0"), "", [directory]) is SPEC
    assert equipped(SPEC, given(0, "0", "0"), KIND, [directory]) is SPEC
    assert equipped(SPEC, given(1, "0", "0"), KIND, []) is SPEC


def test_gvisor_has_no_accelerators() -> None:
    for engine in ("crun", "runc", "containerd", "docker"):
        expect_devices(engine)
    with pytest.raises(BadFunction, match="gVisor's kernel has no accelerators"):
        expect_devices("runsc")


def test_a_device_that_no_file_has_or_that_is_not_there_is_said(tmp_path: Path) -> None:
    directory = file(tmp_path, "0", path="/dev/none-such")
    with pytest.raises(StartFailed, match=r"has a device maker\.example/thing=UUID-9, nor maker\.example/thing=9"):
        equipped(SPEC, given(1, "UUID-9", "9"), KIND, [directory])
    with pytest.raises(StartFailed, match="is not as its file of CDI says"):
        equipped(SPEC, given(1, "0", "0"), KIND, [directory])
