"""A server on which something goes on, some of it with ill will."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.live.stand_ins import counter
from tests.live.whole import ENVIRON, Whole, running, until

HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>\x1b[31m\x07"
ECHO = f"""
def echo(text="nothing"):
    print({HOSTILE!r})
    print("said " + text)
    return {{"said": text, "ill": {HOSTILE!r}}}
"""
FAILS = "def fails(event=None):\n    raise ValueError('<b>no</b>')\n"
TICKER = """
def init(ctx, payload, state):
    ctx.delayed_cast(0.2, "self", "tick")

def cast(ctx, source, message):
    print("tick <i>tock</i>")
    ctx.cast("to", message)
    ctx.delayed_cast(0.2, "self", message)
"""
COUNTER = """
class Counter:
    def init(self, ctx, payload, state):
        self.count = 0

    def cast(self, ctx, source, message):
        self.count += 1
"""
WORKFLOW = """
name = "counting"

[functions.ticker]
code = "ticker.py"
outputs = { to = "counter" }

[functions.counter]
code = "counter.py"
"""
RUN = {
    "version": 1, "kind": "simulated", "seed": 1, "started_at": 1e9, "wall_s": 2.5, "scenario": {"about": HOSTILE},
    "versions": {"attacca": "1"}, "totals": {"invocations": 100.0, "failed": 1.0, "p50_ms": 3.5, "hash": HOSTILE},
}  # fmt: skip


@contextmanager
def world(place: Path) -> Iterator[Whole]:
    with counter(place / "powercap") as root:
        measured = (
            "--set",
            "energy.source=powercap",
            "--set",
            f"energy.powercap={root}",
            "--set",
            "energy.every_s=0.5",
            "--set",
            'worker.accelerators.devices=[{name="0",memory_mb=24576,model="A30"}]',
        )
        with running(place / "state", *measured, "--set", f"control.runs_dir={place / 'runs'}") as whole:
            fill(whole, place)
            yield whole


def fill(whole: Whole, place: Path) -> None:
    """Two functions, one of them in two revisions and on a schedule; a call that is dead; runs; a workflow."""
    whole.function("echo", ECHO)
    whole.function("echo", ECHO, memory_mb=96, schedule=["0 6 * * *"])
    whole.function("fails", FAILS, **{"async": {"retries": 0}})
    for number in range(5):
        assert whole.call("echo", {"text": str(number)}).status == 200
    whole.ask("POST", "/async-function/fails", b"{}")
    until(lambda: whole.get("/api/async?state=dead"), "a call is dead")
    for name in ("first", HOSTILE.replace("/", "")):
        run = place / "runs" / "lab" / name
        run.mkdir(parents=True)
        (run / "run.json").write_text(json.dumps({**RUN, "name": name}))
    (place / "runs" / "lab" / "first.html").write_text("<!doctype html><title>first</title>")
    for name, text in (("ticker.py", TICKER), ("counter.py", COUNTER), ("workflow.toml", WORKFLOW)):
        (place / name).write_text(text)
    start = [sys.executable, "-m", "attacca.cli.app", "workflow", "start", str(place / "workflow.toml"), "--json"]
    environ = {**ENVIRON, "ATTACCA_URL": f"http://127.0.0.1:{whole.port}"}
    subprocess.run(start, env=environ, check=True, capture_output=True, timeout=60)


def invocation(whole: Whole) -> str:
    calls = whole.get("/api/calls?function=echo&limit=1")
    return str(calls[0]["id"])


def sent(value: object) -> bytes:
    return json.dumps(value).encode()
