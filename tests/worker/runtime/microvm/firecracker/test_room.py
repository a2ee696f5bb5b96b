import errno
import os
import re
from pathlib import Path

import pytest

from attacca.worker.runtime.microvm.firecracker.room import MachineRoom


def test_names_in_it_lead_to_files_that_are_open_and_it_goes_with_all_that_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(b"code")
    room = MachineRoom(tmp_path, None)
    room.lead("code", tmp_path / "disk")
    (tmp_path / "disk").unlink()
    assert (room.path / "code").read_bytes() == b"code"
    (room.path / "api").touch()
    assert os.path.exists(room.short("api"))
    assert repr(room) == f"<MachineRoom {room.path}>"
    room.close()
    room.close()
    assert list(tmp_path.iterdir()) == []


def test_the_address_of_a_socket_in_it_is_short_however_long_the_way_is(tmp_path: Path) -> None:
    place = tmp_path / ("long" * 40)
    place.mkdir()
    room = MachineRoom(place, None)
    assert len(os.fsencode(str(room.path / "vsock"))) > 108
    assert len(room.short("vsock")) < 40
    room.close()


def test_a_file_that_is_not_there_has_no_name_in_it(tmp_path: Path) -> None:
    room = MachineRoom(tmp_path, None)
    with pytest.raises(FileNotFoundError):
        room.lead("memory", tmp_path / "memory")
    room.close()


def test_with_a_jailer_its_root_has_the_files_themselves(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(b"code")
    room = MachineRoom(tmp_path, None, Path("/opt/firecracker"))
    room.lead("code", tmp_path / "disk")
    assert os.path.samefile(room.path / "code", tmp_path / "disk")
    assert room.path.parts[-3:] == ("firecracker", room.name, "root")
    assert re.fullmatch(rf"attacca-{os.getpid()}-[0-9a-f]{{16}}", room.name)
    words = room.jail(Path("/opt/jailer"), Path("/opt/firecracker"), 20_000, 224)
    told = dict(zip(words[1:-1:2], words[2:-1:2], strict=True))
    assert words[0] == "/opt/jailer"
    assert words[-1] == "--"
    assert told["--id"] == told["--parent-cgroup"] == room.name
    assert (told["--uid"], told["--gid"], told["--exec-file"]) == ("20000", "20000", "/opt/firecracker")
    assert room.path == Path(told["--chroot-base-dir"], "firecracker", room.name, "root")
    assert f"fsize={224 << 20}" in words
    room.close()
    assert [path.name for path in tmp_path.iterdir()] == ["disk"]


def test_what_lies_elsewhere_is_copied_into_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: object) -> None:
        raise OSError(errno.EXDEV, "elsewhere")

    monkeypatch.setattr(os, "link", link)
    (tmp_path / "disk").write_bytes(b"code")
    room = MachineRoom(tmp_path, None, Path("/opt/firecracker"))
    room.lead("code", tmp_path / "disk")
    assert (room.path / "code").read_bytes() == b"code"
    assert (room.path / "code").stat().st_mode & 0o777 == 0o444
    room.close()
