"""Files of the Container Device Interface, read and put into a container's specification."""

import os
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest

from attacca.worker.host.cdi import (
    SIZE_MOST,
    Bound,
    Description,
    Edits,
    Node,
    applied,
    described,
    edits_of,
    kinds,
    read,
)

LIBRARY = "/usr/lib/libcuda.so.1"
NODE = {"path": "/dev/nvidia0", "type": "c", "major": 195, "minor": 0}
FILE: dict[str, Any] = {
    "cdiVersion": "0.6.0",
    "kind": "nvidia.com/gpu",
    "annotations": {"made": "up"},
    "devices": [
        {"name": "0", "containerEdits": {"deviceNodes": [NODE]}},
        {"name": "GPU-5a3b", "containerEdits": {"deviceNodes": [{"path": "/dev/nvidia0"}], "env": ["ONE=1"]}},
    ],
    "containerEdits": {
        "env": ["NVIDIA_VISIBLE_DEVICES=void"],
        "deviceNodes": [{"path": "/dev/nvidiactl", "permissions": "rw"}],
        "mounts": [{"hostPath": LIBRARY, "containerPath": LIBRARY, "options": ["ro", "bind"]}],
        "hooks": [{"hookName": "createContainer", "path": "/usr/bin/nvidia-cdi-hook", "args": ["hook", "ldcache"]}],
        "additionalGids": [44],
        "intelRdt": {"closID": "x"},
    },
}
SPEC: dict[str, Any] = {
    "process": {"env": ["A=1", "NVIDIA_VISIBLE_DEVICES=0"], "user": {"uid": 5, "gid": 6}},
    "mounts": [{"destination": "/proc"}],
    "linux": {"resources": {"devices": [{"allow": False, "access": "rwm"}], "pids": {}}, "namespaces": []},
}


def there(path: str) -> os.stat_result:
    """Every file that is asked for is device 195, 255, of the group of video."""
    if path != "/dev/nvidiactl":
        return os.stat_result((stat.S_IFREG | 0o644, 1, 1, 1, 0, 0, 0, 0, 0, 0))
    made = (stat.S_IFCHR | 0o660, 1, 1, 1, 0, 44, 0, 0, 0, 0)
    return os.stat_result(made, {"st_rdev": os.makedev(195, 255)})


def test_a_device_has_the_edits_of_its_file_and_its_own() -> None:
    file = described("nvidia.json", msgspec.json.encode(FILE))
    found = edits_of([file], "nvidia.com/gpu", ("GPU-77", "0"))
    assert found == (file.container_edits, file.devices[0].container_edits)
    assert edits_of([file], "nvidia.com/gpu", ("GPU-77", "7")) == ()
    assert edits_of([file], "amd.com/gpu", ("0",)) == ()
    later = msgspec.structs.replace(file, container_edits=Edits(env=("LATER=1",)))
    assert edits_of([file, later], "nvidia.com/gpu", ("0",))[0] == Edits(env=("LATER=1",))


def test_each_kind_has_the_devices_of_all_its_files() -> None:
    file = described("nvidia.json", msgspec.json.encode(FILE))
    assert kinds([file, file]) == {"nvidia.com/gpu": ["0", "GPU-5a3b"]}
    assert kinds([]) == {}


def test_a_specification_has_nodes_rights_mounts_variables_and_hooks() -> None:
    edits = edits_of([described("nvidia.json", msgspec.json.encode(FILE))], "nvidia.com/gpu", ("0",))
    told = applied(SPEC, [*edits, *edits], there)
    assert told["process"] == {
        "env": ["A=1", "NVIDIA_VISIBLE_DEVICES=void"], "user": {"uid": 5, "gid": 6, "additionalGids": [44]},
    }  # fmt: skip
    assert told["linux"]["devices"] == [
        {"path": "/dev/nvidiactl", "type": "c", "major": 195, "minor": 255, "fileMode": 0o660, "uid": 0, "gid": 44},
        {"path": "/dev/nvidia0", "type": "c", "major": 195, "minor": 0},
    ]
    assert told["linux"]["resources"]["devices"] == [
        {"allow": False, "access": "rwm"},
        {"allow": True, "type": "c", "major": 195, "minor": 255, "access": "rw"},
        {"allow": True, "type": "c", "major": 195, "minor": 0, "access": "rwm"},
    ]
    assert told["mounts"][1:] == [
        {"destination": LIBRARY, "type": "bind", "source": LIBRARY, "options": ["ro", "bind"]}
    ]
    assert told["hooks"] == {
        "createContainer": [{"path": "/usr/bin/nvidia-cdi-hook", "args": ["hook", "ldcache"], "env": []}]
    }
    assert "hooks" not in SPEC
    assert "devices" not in SPEC["linux"]


def test_what_is_bound_says_so_and_a_file_that_is_no_device_is_refused() -> None:
    mounted = Bound(host_path="/a", container_path="/b", options=("ro",))
    assert applied(SPEC, [Edits(mounts=(mounted,))])["mounts"][1]["options"] == ["rbind", "ro"]
    tmpfs = Bound(host_path="/a", container_path="/b", type="tmpfs")
    assert applied(SPEC, [Edits(mounts=(tmpfs,))])["mounts"][1]["options"] == []
    with pytest.raises(ValueError, match="/dev/none is no device"):
        applied(SPEC, [Edits(device_nodes=(Node(path="/dev/other", host_path="/dev/none"),))], there)


def test_the_later_directory_is_read_last_and_what_is_no_description_is_passed_over(
    tmp_path: Path, logged: pytest.LogCaptureFixture
) -> None:
    first, second = tmp_path / "etc", tmp_path / "run"
    for directory in (first, second):
        directory.mkdir()
        (directory / "nvidia.json").write_bytes(msgspec.json.encode(FILE | {"cdiVersion": directory.name}))
    (first / "b.yaml").write_bytes(msgspec.yaml.encode(FILE))
    for name, text in {
        "bad.json": "{", "kind.json": '{"cdiVersion": "1", "kind": "x", "devices": []}',
        "large.json": "0" * (SIZE_MOST + 1),
        "path.json": msgspec.json.encode(FILE | {"containerEdits": {"deviceNodes": [{"path": "dev/x"}]}}).decode(),
        "other.txt": "", "bad.yaml": "a: [",
    }.items():  # fmt: skip
        (second / name).write_text(text)
    found = read((str(first), str(second), str(tmp_path / "none")))
    assert [(type(one), one.cdi_version) for one in found] == [
        (Description, "0.6.0"), (Description, "etc"), (Description, "run"),
    ]  # fmt: skip
    assert len(logged.records) == 5


@pytest.mark.parametrize("variable", ["", "=1", "A", "A\0=1"])
def test_a_variable_is_a_name_and_a_value(variable: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        described("a.json", msgspec.json.encode(FILE | {"containerEdits": {"env": [variable]}}))
