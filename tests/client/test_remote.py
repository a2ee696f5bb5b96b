import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from attacca.client.remote import Place, failed, install, logs, packed, start, status, stop, unpack
from attacca.errors import BadConfig, Unreachable
from tests.cases import each

PLACE = Place("ann@host", directory="it's here")
SCRIPTS = [
    unpack(PLACE),
    install(PLACE, "attacca==1; rm -rf /", "python3"),
    start(PLACE, "worker", ["--name", "w1; echo"]),
    stop(PLACE, "worker"),
    status(PLACE, "worker"),
    logs(PLACE, "worker", 5, is_followed=True),
]


@each("script", SCRIPTS)
def test_what_is_sent_is_quoted(script: str) -> None:
    assert "'it'\"'\"'s here'" in script
    assert "'attacca==1; rm -rf /'" in script or "rm -rf /" not in script
    assert "'w1; echo'" in script or "w1" not in script


def test_an_option_is_no_host() -> None:
    for host in ("", "-oProxyCommand=sh"):
        with pytest.raises(BadConfig):
            Place(host)
    assert failed(PLACE, Unreachable("gone"))["state"] == "failed"


def test_what_goes_along_is_its_owners_alone(tmp_path: Path) -> None:
    (tmp_path / "certs").mkdir(mode=0o755)
    (tmp_path / "certs" / "plane.key").write_text("x")
    with tarfile.open(fileobj=io.BytesIO(packed({"certs": tmp_path / "certs"}))) as archive:
        assert [(one.name, one.mode & 0o077, one.uid) for one in archive.getmembers()] == [
            ("certs", 0, 0), ("certs/plane.key", 0, 0),
        ]  # fmt: skip
    with pytest.raises(BadConfig, match="cannot be read"):
        packed({"x": tmp_path / "none"})


def test_the_program_is_ours_unless_there_is_another() -> None:
    assert PLACE.attacca == "venv/bin/attacca"
    assert Place("h", program="/opt/attacca").attacca == "/opt/attacca"
    assert subprocess.list2cmdline(PLACE.ssh) == "ssh"
