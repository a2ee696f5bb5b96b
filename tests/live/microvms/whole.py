"""Micro-VMs of a whole cluster: on a worker apart, with secrets and users of their own."""

import json
from pathlib import Path

from attacca.worker.runtime.microvm.needs import lacking
from attacca.worker.runtime.microvm.options import MicroVmOptions
from tests.live.microvms.subject import BOOT_S
from tests.live.whole import deployment, running

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
