"""`attacca remote` against a real sshd: on a machine of its own for planes, and on this one for what pip installs."""

import contextlib
import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.live.machines import Machine, machines
from tests.live.whole import ENVIRON, until

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin")
PORT = 2222


@contextlib.contextmanager
def sshd(at: Path, address: str, port: int, inside: Machine | None = None) -> Iterator[str]:
    """The command that reaches it."""
    if SSHD is None:
        pytest.fail("no sshd: scripts/debian.sh openssh-server")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    at.mkdir()
    for name in ("host", "own"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(at / name)], check=True)
    (at / "config").write_text(
        f"Port {port}\nListenAddress {address}\nHostKey {at}/host\nAuthorizedKeysFile {at}/own.pub\nPidFile none\n"
        "StrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\n"
    )
    words = [SSHD, "-D", "-e", "-f", str(at / "config")]
    with (at / "log").open("w") as log:
        server = subprocess.Popen(inside.inside(*words) if inside else words, stderr=log)
    try:
        until(lambda: "listening" in (at / "log").read_text(), "it listens")
        yield (
            f"ssh -p {port} -i {at}/own -o BatchMode=yes -o StrictHostKeyChecking=accept-new "
            f"-o UserKnownHostsFile={at}/known -o LogLevel=ERROR"
        )
    finally:
        server.terminate()
        server.wait(10)


def test_a_worker_is_started_on_another_machine_and_stopped(tmp_path: Path) -> None:
    with machines(tmp_path, 2) as made, sshd(tmp_path / "sshd", "10.0.0.2", PORT, made.by_address["10.0.0.2"]) as ssh:
        here, there = made.by_address.values()
        here.run(
            "attacca certs init\nattacca certs control --out control\nattacca certs gateway g1 --out g1\n"
            "attacca certs worker w1 --out w1\nattacca token join > join_token"
        )
        here.serve("attacca control --listen 10.0.0.1:7700 --certs control")
        here.serve("attacca gateway --name g1 --control 10.0.0.1:7700 --certs g1")
        who, place = f"{getpass.getuser()}@10.0.0.2", there.home / "planes"
        common = f'{who} --dir {place} --ssh "{ssh}"'
        program = f"--program {tmp_path}/bin/attacca"
        options = (
            f"--name w1 --listen 10.0.0.2:7701 --control 10.0.0.1:7700 --state-dir {there.home}/state --memory 512"
        )
        url = "export ATTACCA_URL=http://127.0.0.1:7780\n"
        here.run(f"attacca remote install {common} {program} --certs w1 --join-token join_token")
        assert (place / "certs" / "plane.key").stat().st_mode & 0o077 == 0
        (tmp_path / "bin" / "attacca").write_text(
            f'#!/usr/bin/env bash\nexport PYTHONPATH={os.getcwd()}\nexec {sys.executable} -m attacca.cli.app "$@"\n'
        )
        here.run(f'attacca remote start {common} {program} --options "{options} --memory-limits watch"')
        assert json.loads(here.run(f"attacca remote status {common} --json"))[0]["state"] == "up"
        assert "w1" in here.run(url + "attacca status")
        here.run(url + "attacca init hello && attacca deploy hello")
        assert "bob" in here.run(url + "attacca invoke hello -a name=bob")
        again = json.loads(here.run(f"attacca remote start {common} {program} --json || true"))
        assert "it runs already" in again[0]["message"]
        here.run(f"attacca remote stop {common}")
        assert json.loads(here.run(f"attacca remote status {common} --json"))[0]["state"] == "down"
        assert "nothing is left running" in here.run(f"attacca remote logs {common}")
        gone = json.loads(here.run(f'attacca remote status {who} --ssh "{ssh.replace(str(PORT), "1")}" --json || true'))
        assert gone[0]["state"] == "failed"


def wheel(at: Path, version: str) -> Path:
    """With a program of our name that says its version, and nothing that it requires: `test_wheel` has the real one."""
    info = f"attacca-{version}.dist-info"
    made = at / f"attacca-{version}-py3-none-any.whl"
    with ZipFile(made, "w") as archive:
        archive.writestr("stand_in.py", f"def main():\n    print('attacca {version}')\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: attacca\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/entry_points.txt", "[console_scripts]\nattacca = stand_in:main\n")
        archive.writestr(f"{info}/RECORD", "")
    return made


def test_what_pip_installs_there_is_what_it_is_given(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    with sshd(tmp_path / "sshd", "127.0.0.1", port) as ssh:
        words = ["remote", "install", f"{getpass.getuser()}@127.0.0.1", "--dir", str(tmp_path / "there"), "--ssh", ssh]
        words += ["--package", str(wheel(tmp_path, "9.9.9")), "--python", sys.executable, "--json"]
        done = subprocess.run(
            [sys.executable, "-m", "attacca.cli.app", *words],
            env=ENVIRON, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, (done.stdout, done.stderr)
        [row] = json.loads(done.stdout)
        assert (row["state"], row["version"]) == ("installed", "9.9.9")
