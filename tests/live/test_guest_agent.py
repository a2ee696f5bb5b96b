"""The agent serves a function where nobody has forked it, with nothing of ours but itself."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from attacca.guest import channel as wire
from attacca.guest.agent import IMPORTING
from tests.guest.pipes import Outside

AGENT = Path(__file__).parents[2] / "attacca" / "guest"
SPEC = {
    "function": "f", "runtime": "auto", "revision": 1, "handler": "", "signature": "", "event": "", "import_s": 10.0,
    "memory_mb": 64, "timeout_s": 5.0, "concurrency": 1, "max_body": 100_000, "max_log": 10_000, "is_traced": False,
}  # fmt: skip
ECHO = """
import sys
print("imported")

def handler(event, context):
    ours = sorted(name for name in sys.modules if name.startswith("attacca."))
    strange = [name for name in ours if not name.startswith(("attacca.guest", "attacca.cores"))]
    return {"event": event, "strange": strange, "path": sys.path[0]}
"""


@contextmanager
def agent(here: Path, source: str, **more: Any) -> Iterator[Outside]:
    (here / "main.py").write_text(source)
    inner, outer = os.pipe(), os.pipe()
    words = [sys.executable, "-I", "-S", str(AGENT), str(here), str(outer[0]), str(inner[1])]
    process = subprocess.Popen(words, pass_fds=(outer[0], inner[1]))
    os.close(outer[0])
    os.close(inner[1])
    outside = Outside(inner[0], outer[1])
    outside.channel.write(wire.ORDER, 0, json.dumps({**SPEC, **more}).encode())
    outside.channel.write(wire.GO, 0)
    try:
        yield outside
    finally:
        os.close(outer[1])
        os.close(inner[0])
        assert process.wait() in (0, 1)


def told(outside: Outside, kind: int) -> Any:
    while (frame := outside.read())[0] == wire.LOG:
        pass
    assert frame[0] == kind, frame
    return json.loads(frame[2])


@pytest.mark.parametrize("concurrency", [1, 4])
def test_it_imports_and_answers(tmp_path: Path, concurrency: int) -> None:
    with agent(tmp_path, ECHO, concurrency=concurrency) as outside:
        assert told(outside, wire.READY)["imports_ms"] > 0
        for number in (1, 2):
            outside.invoke(number, b'{"a": 1}')
            assert json.loads(outside.answer()[3]) == {"event": {"a": 1}, "strange": [], "path": str(tmp_path)}


@pytest.mark.parametrize("own", ["", "gc.set_threshold(123, 4, 5)"])
def test_the_collector_is_as_it_was_once_the_import_is_over_or_as_the_code_has_set_it(tmp_path: Path, own: str) -> None:
    lines = [
        "import gc",
        "meanwhile = gc.get_threshold()",
        own,
        "def handler(event):",
        "  return meanwhile, gc.get_threshold()",
    ]
    plainly = [sys.executable, "-I", "-S", "-c", "import gc; print(list(gc.get_threshold()))"]
    with agent(tmp_path, "\n".join(lines)) as outside:
        told(outside, wire.READY)
        outside.invoke(1, b"{}")
        meanwhile, then = json.loads(outside.answer()[3])
        assert meanwhile == list(IMPORTING)
        assert then == ([123, 4, 5] if own else json.loads(subprocess.check_output(plainly)))


def test_it_serves_an_application_on_a_loop(tmp_path: Path) -> None:
    source = """
async def app(scope, receive, send):
    await receive()
    await send({"type": "http.response.start", "status": 201, "headers": []})
    await send({"type": "http.response.body", "body": b"well"})
"""
    with agent(tmp_path, source) as outside:
        told(outside, wire.READY)
        outside.request()
        status, _, _, body = outside.answer()
        assert (status, body) == (201, b"well")


def test_what_cannot_be_imported_is_told(tmp_path: Path) -> None:
    with agent(tmp_path, "import nothing_of_this_name\ndef handler(event): return 1") as outside:
        failed = told(outside, wire.FAILED)
        assert failed["code"] == "bad_function"
        assert "nothing_of_this_name" in failed["message"]
        assert "main.py" in failed["traceback"]
        assert "load.py" not in failed["traceback"], "our own frames are nobody's business"
