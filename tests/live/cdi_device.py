"""A device of nobody's, the zeros of /dev/zero under another name, in containers by a file of CDI."""

import ast
import json
from pathlib import Path
from typing import Any

from attacca.io.archive import pack
from tests.live.whole import Whole, deployment, running

TRY = """
import errno, os
def attempt(do, *words):
    try:
        return str(do(*words))
    except OSError as error:
        return errno.errorcode[error.errno]
"""


def has_what_a_file_says(layout: Path, place: Path, engine: str, more: str = "") -> None:
    """`more`: further settings of `[container]`. The engine docker is given no hooks."""
    (place / "library").write_text("of its maker")
    (place / "cdi").mkdir()
    edits = {
        "env": ["THING=1"],
        "deviceNodes": [{"path": "/dev/thing0", "hostPath": "/dev/zero", "permissions": "rw"}],
        "mounts": [{"hostPath": str(place / "library"), "containerPath": "/opt/library", "options": ["ro"]}],
        "hooks": [{"hookName": "createRuntime", "path": "/usr/bin/touch", "args": ["touch", str(place / "hooked")]}],
    }
    told = {"cdiVersion": "0.6.0", "kind": "maker.example/thing", "devices": [{"name": "0", "containerEdits": edits}]}
    (place / "cdi" / "maker.json").write_text(json.dumps(told))
    settings = place / "attacca.toml"
    settings.write_text(
        f"""
[worker.accelerators]
devices = [{{ name = "0" }}]
[container]
engine = "{engine}"
cdi = "maker.example/thing"
cdi_dirs = ["{place / "cdi"}"]
{more}
"""
    )
    with running(place / "state", "--config", str(settings)) as server:
        for name, asked in (("box", {"gpu": 1}), ("plain", {})):
            server.ask("POST", "/api/functions", *deployment(name, pack(layout), **asked))
        assert inside(server, "os.environ['THING'], os.environ['CUDA_VISIBLE_DEVICES']") == ("1", "0")
        assert inside(server, "open('/dev/thing0', 'rb').read(3)") == bytes(3)
        assert inside(server, "open('/opt/library').read()") == "of its maker"
        assert inside(server, "attempt(open, '/opt/library', 'w')") in ("EROFS", "EACCES")
        assert (place / "hooked").exists() == (engine != "docker")
        assert inside(server, "os.path.exists('/dev/thing0')", "plain") is False


def inside(server: Whole, expression: str, name: str = "box") -> Any:
    answer = server.ask("POST", f"/function/{name}", f"{TRY}said = {expression}".encode())
    assert answer.status == 200, answer
    return ast.literal_eval(answer.body.decode())
