"""Micro-VMs of a whole cluster: on a worker apart, with secrets and users of their own."""

import json
import os
from pathlib import Path

import pytest

from attacca.worker.runtime.microvm.needs import lacking
from attacca.worker.runtime.microvm.options import MicroVmOptions
from tests.live import needed
from tests.live.microvms.subject import BOOT_S
from tests.live.whole import deployment, running

LINKS = """
import socket
def handler(event, context):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("192.0.2.7", 9))
        return {"links": sorted(name for _, name in socket.if_nameindex()), "address": sock.getsockname()[0]}
"""
OPTIONS = ("--workers", "1", "--gateways", "1", "--apart", "--memory", "2048")
PATIENT = ("--set", f"microvm.boot_timeout_s={BOOT_S}", "--set", f"process.start_timeout_s={BOOT_S}")
TELLS = """
import os
def handler(event, context):
    path = "/run/secrets/key"
    return {"env": os.environ.get("word"), "file": open(path).read(), "mode": oct(os.stat(path).st_mode & 0o777),
            "user": os.getuid()}
"""


def test_a_function_on_a_worker_apart_is_given_its_secrets(tmp_path: Path) -> None:
    assert lacking(MicroVmOptions()) == "", "make microvms"
    with running(tmp_path / "state", *OPTIONS, *PATIENT, "--set", "microvm.pool=1") as up:
        calls, up.port = up.port, int(up.info["admin"].rpartition(":")[2])
        for name, value in (("word", b"hidden"), ("key", b"more hidden")):
            assert up.ask("PUT", f"/api/secrets/{name}", value).status < 300
        settings = {"runtime": "microvm", "secrets": {"word": "env", "key": "file"}, "memory_mb": 64, "wait_s": BOOT_S}
        made = up.ask("POST", "/api/functions", *deployment("tells", TELLS, **settings), wait_s=BOOT_S)
        assert b'"done"' in made.body.splitlines()[-1], made
        up.port = calls
        for _ in range(3):
            told = up.call("tells", {}, BOOT_S)
            assert told.status == 200, told
            assert json.loads(told.body) == {"env": "hidden", "file": "more hidden", "mode": "0o444", "user": 1000}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server gives micro-VMs a network")
def test_a_function_is_placed_where_it_can_have_its_network(tmp_path: Path) -> None:
    needed.expect("nft")
    with running(tmp_path / "state", *OPTIONS, *PATIENT) as up:
        calls, up.port = up.port, int(up.info["admin"].rpartition(":")[2])
        settings = {"runtime": "microvm", "memory_mb": 64, "wait_s": BOOT_S}
        refused = up.ask("POST", "/api/functions", *deployment("asks", LINKS, network="host", **settings))
        assert b'write \\"nat\\" or \\"none\\"' in refused.body, refused
        made = up.ask("POST", "/api/functions", *deployment("asks", LINKS, network="nat", **settings), wait_s=BOOT_S)
        assert b'"done"' in made.body.splitlines()[-1], made
        up.port = calls
        told = json.loads(up.call("asks", {}, BOOT_S).body)
        assert told["links"] == ["eth0", "lo"]
        assert told["address"].startswith("198.18.")
