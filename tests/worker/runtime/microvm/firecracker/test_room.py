import os
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
