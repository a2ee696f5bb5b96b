from typing import Any

import msgspec
import pytest

from attacca.worker.runtime.microvm.firecracker import requests
from attacca.worker.runtime.microvm.firecracker.api import FirecrackerApi, refusal, written
from attacca.worker.runtime.microvm.monitor import MachineSize
from tests.live.microvms.fake.described import Description, Refused

DESCRIBED: dict[str, Any] = {
    "paths": {
        "/machine-config": {
            "put": {
                "summary": "Of the machine. Pre-boot only.", "operationId": "shape",
                "parameters": [{"in": "body", "schema": {"$ref": "#/definitions/Shape"}}],
            },
        },
        "/drives/{drive_id}": {
            "put": {
                "operationId": "drive", "parameters": [{"in": "body", "schema": {"$ref": "#/definitions/Drive"}}],
            },
        },
        "/snapshot/create": {"put": {"summary": "Post-boot only.", "operationId": "save"}},
    },
    "definitions": {
        "Shape": {
            "type": "object", "required": ["vcpu_count", "mem_size_mib"],
            "properties": {
                "vcpu_count": {"type": "integer", "minimum": 1, "maximum": 32}, "mem_size_mib": {"type": "integer"},
                "smt": {"type": "boolean"}, "track_dirty_pages": {"type": "boolean"},
                "kind": {"type": "string", "enum": ["a", "b"]}, "many": {"type": "array", "items": {"type": "string"}},
            },
        },
        "Drive": {"type": "object", "required": ["drive_id"], "properties": {"drive_id": {"type": "string"}}},
    },
}  # fmt: skip


def test_a_machine_is_described_before_it_begins_and_begins_last() -> None:
    asked = requests.boot(MachineSize(160, 2))
    assert [f"{one.method} {one.path}" for one in asked] == [
        "PUT /machine-config", "PUT /boot-source", "PUT /drives/root", "PUT /drives/code", "PUT /drives/bundle",
        "PUT /vsock", "PUT /entropy", "PUT /actions",
    ]  # fmt: skip
    assert msgspec.to_builtins(asked[0].body) == {
        "vcpu_count": 2, "mem_size_mib": 160, "smt": False, "track_dirty_pages": False,
    }  # fmt: skip
    with_card = requests.boot(MachineSize(160, 2, has_card=True))
    (card,) = [one for one in with_card if one not in asked]
    assert (card.method, card.path) == ("PUT", "/network-interfaces/eth0")
    assert msgspec.to_builtins(card.body) == {
        "iface_id": "eth0", "host_dev_name": "tap0", "guest_mac": "02:61:74:63:63:04",
    }  # fmt: skip
    assert with_card.index(card) < len(asked) - 1, "before it begins"
    drives = [one.body for one in asked if isinstance(one.body, requests.GuestDrive)]
    assert [one.is_root_device for one in drives] == [True, False, False]
    assert all(one.is_read_only for one in drives)


def test_no_path_of_this_machine_is_in_what_is_saved() -> None:
    for one in (*requests.boot(MachineSize(160, 1)), requests.restore(), requests.save()):
        told: dict[str, Any] = msgspec.to_builtins(one.body)
        paths = [value for name, value in told.items() if "path" in name]
        assert all("/" not in path for path in paths), told


def test_what_is_restored_has_its_memory_mapped_and_goes_on_at_once() -> None:
    assert msgspec.to_builtins(requests.restore().body) == {
        "snapshot_path": "state", "mem_backend": {"backend_path": "memory", "backend_type": "File"}, "resume_vm": True,
    }  # fmt: skip


def test_a_request_is_written_with_its_length() -> None:
    head, _, body = written(requests.stop()).partition(b"\r\n\r\n")
    assert head.startswith(b"PATCH /vm HTTP/1.1\r\n")
    assert b"Content-Length: %d" % len(body) in head
    assert body == b'{"state":"Paused"}'


def test_of_a_refusal_its_words_are_told_or_its_number() -> None:
    assert refusal(400, b'{"fault_message": "no such kernel"}') == "no such kernel"
    assert refusal(400, b"nonsense") == "status 400"
    assert len(refusal(400, b'{"fault_message": "%s"}' % (b"x" * 9000))) == 500


def test_it_says_where_it_is_told() -> None:
    assert repr(FirecrackerApi("/x/api")) == "<FirecrackerApi not yet at /x/api>"


def checked(method: str, path: str, body: bytes, *, has_begun: bool = False) -> str:
    return Description(DESCRIBED).check(method, path, body, has_begun=has_begun)[0]


def test_the_description_takes_what_is_in_it() -> None:
    shape = written(requests.boot(MachineSize(160, 1))[0]).partition(b"\r\n\r\n")[2]
    assert checked("PUT", "/machine-config", shape) == "shape"
    assert checked("PUT", "/drives/root", b'{"drive_id": "root"}') == "drive"
    assert checked("PUT", "/snapshot/create", b"", has_begun=True) == "save"
    assert repr(Description(DESCRIBED)) == "<Description of 3 paths>"


@pytest.mark.parametrize(
    ("method", "path", "body", "why"),
    [
        ("GET", "/machine-config", b"", "method and/or path"),
        ("PUT", "/machine", b"{}", "method and/or path"),
        ("PUT", "/machine-config", b"", "no JSON"),
        ("PUT", "/machine-config", b'{"vcpu_count": 1}', "missing field `mem_size_mib`"),
        ("PUT", "/machine-config", b'{"vcpu_count": 1, "mem_size_mib": 1, "x": 1}', "unknown field `x`"),
        ("PUT", "/machine-config", b'{"vcpu_count": "1", "mem_size_mib": 1}', "expected integer"),
        ("PUT", "/machine-config", b'{"vcpu_count": true, "mem_size_mib": 1}', "expected integer"),
        ("PUT", "/machine-config", b'{"vcpu_count": 33, "mem_size_mib": 1}', "out of bounds"),
        ("PUT", "/machine-config", b'{"vcpu_count": 1, "mem_size_mib": 1, "kind": "c"}', "unknown variant"),
        ("PUT", "/machine-config", b'{"vcpu_count": 1, "mem_size_mib": 1, "many": [1]}', "expected string"),
        ("PUT", "/drives/root", b'{"drive_id": "code"}', "does not match"),
        ("PUT", "/snapshot/create", b"", "before starting"),
    ],
)
def test_the_description_takes_nothing_else(method: str, path: str, body: bytes, why: str) -> None:
    with pytest.raises(Refused, match=why):
        checked(method, path, body)


def test_what_is_described_for_before_the_start_is_refused_after_it() -> None:
    with pytest.raises(Refused, match="after starting"):
        checked("PUT", "/machine-config", b"{}", has_begun=True)
