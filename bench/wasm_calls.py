"""Calls of functions in WebAssembly, each of which has an instance of its own, beside the same on bare wasmtime."""

import contextlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import wasmtime

from attacca.client.component import ready
from attacca.client.source import find
from attacca.lab.kinds import Places
from attacca.lab.runtimes import chosen
from attacca.worker.runtime.wasm.host.compiling import COMMAND, ENGINE, compiled
from attacca.worker.runtime.wasm.host.instances import Runner
from bench.client import BODY, latency
from bench.result import Result, Round
from bench.server import HERE, attacca, floor

FUNCTIONS = HERE / "functions"
MEMORY_BYTES = 112 << 20  # of an instance of a function with 128 MB
Run = Callable[[], Any]


def bare(source: bytes, place: Path) -> Run:
    """A store that is bounded as ours are, an instance, and its call."""
    made = compiled(source)
    file = place / "bare.machine"
    file.write_bytes(made[1:])
    runner: Any = Runner(made[:1], str(file), MEMORY_BYTES)
    given = place / "body"
    given.write_bytes(BODY)

    def run() -> None:
        store, wasi, out = wasmtime.Store(ENGINE), wasmtime.WasiConfig(), list[bytes]()
        store.set_limits(MEMORY_BYTES)
        if made[:1] == COMMAND:
            wasi.stdin_file, wasi.stdout_custom = str(given), out.append
            store.set_wasi(wasi)
            runner._ready.instantiate(store).exports(store)["_start"](store)
            assert b"".join(out) == BODY
        else:
            store.set_wasi(wasi)
            call = runner._linker.instantiate(store, runner._made).get_func(store, "handle")
            assert isinstance(call(store, BODY), bytes)

    return run


def p50(run: Run, count: int) -> float:
    """In microseconds."""
    took = []
    for _ in range(count):
        began = time.perf_counter()
        run()
        took.append((time.perf_counter() - began) * 1e6)
    return statistics.median(took)


@contextlib.contextmanager
def modules() -> Iterator[dict[str, Path]]:
    """By name; that of Python only where componentize-py is."""
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        found = {}
        for name in ("command", "handle"):
            found[name] = Path(place) / f"{name}.wasm"
            found[name].write_bytes(wasmtime.wat2wasm((FUNCTIONS / f"{name}.wat").read_text()))
        if not chosen(["python-component"])[0].missing(Places()):
            source = find(FUNCTIONS / "echo", {"runtime": "wasm"})
            made = stack.enter_context(ready(source, lambda _: None)).path
            found["python"] = made / "function.wasm"
        yield found


def wasm_calls(rounds: int, calls: int) -> Iterator[Result]:
    """a fresh instance for each request, 128 bytes of JSON, one connection, against bare wasmtime and the relay"""
    with modules() as files, attacca() as server, floor("relay") as relay, tempfile.TemporaryDirectory() as place:
        for name, file in files.items():
            server.deploy(file, "--name", name, "--max", "1")
            inside = Path(place) / name
            inside.mkdir()
            alone = bare(file.read_bytes(), inside)
            found = []
            for _ in range(rounds):
                lowest = p50(alone, calls) + latency(relay, "/", calls)[0]
                found.append(Round(latency(server.port, f"/function/{name}", calls)[0], lowest))
            what = {"command": "Wasm command", "handle": "Wasm component", "python": "Python as a Wasm component"}[name]
            yield Result(f"{what}, fresh instance and call, p50", "us", "bare wasmtime and relay", BARS[name], found)


BARS = {"command": 3.0, "handle": 3.0, "python": 1.5}
