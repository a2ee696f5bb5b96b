import fcntl
import os
from pathlib import Path

from attacca.worker.runtime.container.keeper.program import SEALS, environment, sealed
from tests.cases import each


def written(at: Path, name: str, text: bytes) -> str:
    path = at / name
    path.write_bytes(text)
    return str(path)


def test_a_copy_is_executed_that_nobody_can_write_to(tmp_path: Path) -> None:
    text = b"\x7fELF" + bytes(range(256)) * 300
    place = sealed(written(tmp_path, "crun", text))
    made = int(place.removeprefix("/proc/self/fd/"))
    try:
        assert fcntl.fcntl(made, fcntl.F_GET_SEALS) == SEALS
        assert not os.get_inheritable(made)
        assert os.pread(made, len(text) + 1, 0) == text
    finally:
        os.close(made)


@each("name, text", [("crun", b"#!/bin/sh\nexec crun\n"), ("runc", b""), ("runsc", b"\x7fELF")])
def test_what_makes_no_copy_of_itself_is_executed_where_it_is(tmp_path: Path, name: str, text: bytes) -> None:
    path = written(tmp_path, name, text)
    assert sealed(path) == path


def test_what_is_not_there_is_looked_for_where_it_is_said_to_be() -> None:
    assert sealed("/nowhere/crun") == "/nowhere/crun"


def test_runc_has_one_thread_run_at_a_time() -> None:
    assert environment("/usr/sbin/runc")["GOMAXPROCS"] == "1"
    assert environment("/usr/bin/crun") == dict(os.environ)
