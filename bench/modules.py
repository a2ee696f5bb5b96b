"""Starts of event functions that are modules of WebAssembly, on a worker of this process, beside bare wasmtime.

python bench/modules.py [FILE.wasm] [STARTS]

From the order to a worker until it says that `init` has returned, the module being compiled; and the same module made
an instance of, and its init called, by the same wasmtime in one process. They take turns: what was done just before is
three times as quick, and nobody starts instances one upon the other.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import uvloop
import wasmtime

from attacca.kernel.clock import SystemClock
from attacca.kernel.rand import Streams
from attacca.model.events import InstanceDown, InstanceUp, StartInstance, StopInstance
from attacca.model.function import Revision, Settings, Signature, WasmModule
from attacca.model.messages import FromWorker, ToControl
from attacca.worker.config import WorkerConfig
from attacca.worker.driver import Worker
from attacca.worker.runtime.code_store import SharedCode
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.runtime import ProcessRuntime
from attacca.worker.runtime.router import Router
from attacca.worker.runtime.wasm import hosts
from attacca.worker.runtime.wasm.host.main import ENGINE
from attacca.worker.runtime.wasm.making import with_modules
from bench.result import Result, Round

MODULE = Path(__file__).parent / "functions" / "event.wat"
MEMORY_MB, CONTROL = 2048, "control"
I32 = wasmtime.ValType.i32()


def module(path: Path) -> bytes:
    return path.read_bytes() if path.suffix == ".wasm" else bytes(wasmtime.wat2wasm(path.read_text()))


def bare(source: bytes) -> Callable[[], None]:
    """An instance of it, bounded as ours are, and its init."""
    compiled, linker = wasmtime.Module(ENGINE, source), wasmtime.Linker(ENGINE)
    heard: list[bytes] = []

    def log(caller: Any, level: int, target: int, size: int, text: int, length: int) -> None:
        memory = caller["memory"]
        heard.append(bytes(memory.read(caller, target, target + size)) + memory.read(caller, text, text + length))

    linker.define_func("env", "telemetry_log_asm", wasmtime.FuncType([I32] * 5, []), log, access_caller=True)
    linker.define_unknown_imports_as_traps(compiled)

    def start() -> None:
        heard.clear()
        store = wasmtime.Store(ENGINE)
        store.set_limits(memory_size=64 << 20)
        store.set_epoch_deadline(1)
        init: Any = linker.instantiate(store, compiled).exports(store)["handle_init_asm"]
        init(store, 0, 0, 0, 0)
        assert heard

    return start


class Starts:
    """Orders them as control does, and hears of them."""

    def __init__(self, state: Path, source: bytes) -> None:
        self._place, self._source = state, source
        self._news: asyncio.Queue[InstanceUp | InstanceDown] = asyncio.Queue()
        settings = Settings(name="event", memory_mb=64)
        self._revision = Revision(
            function="bench.event", number=1, settings=settings, handler="", signature=Signature.EVENTS,
            artefact=WasmModule("event"),
        )  # fmt: skip
        self._count = 0

    def _heard(self, _: str, message: FromWorker | ToControl) -> None:
        if isinstance(message, InstanceUp | InstanceDown):
            self._news.put_nowait(message)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        code = self._place / "code" / "event"
        code.mkdir(parents=True)
        (code / "event.wasm").write_bytes(self._source)
        clock, options = SystemClock(), ProcessOptions()
        processes = ProcessRuntime(SharedCode(self._place), options, clock, MEMORY_MB)
        uploaded = with_modules(processes, options, clock, MEMORY_MB, self._place / "code")
        self._modules: Any = uploaded[WasmModule]
        config = WorkerConfig(memory_mb=MEMORY_MB)
        self._worker = Worker(config, Router(uploaded), clock, Streams(1), self._heard, lambda _: None)
        await self._worker.open()
        self._worker.join(CONTROL)
        try:
            yield
        finally:
            await self._worker.close()

    async def start(self) -> float:
        """Seconds."""
        self._count += 1
        name = f"bench.event.{self._count}"
        began = time.perf_counter()
        self._worker.receive(CONTROL, StartInstance(name, "bench", "event", self._revision))
        up = await self._news.get()
        took = time.perf_counter() - began
        assert isinstance(up, InstanceUp), up
        self._worker.receive(CONTROL, StopInstance(name))
        await self._news.get()
        while not self._modules._ahead._ready or len(self._modules._hosts._idle) < hosts.AHEAD:  # noqa: ASYNC110 - nobody says it
            await asyncio.sleep(0.002)
        return took


def timed(act: Callable[[], None]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def measured(path: Path, rounds: int, size: int) -> list[Round]:
    """Medians, in milliseconds."""
    source = module(path)
    floor = bare(source)

    async def run() -> list[Round]:
        found = []
        with tempfile.TemporaryDirectory() as place:
            starts = Starts(Path(place), source)
            async with starts.open():
                for _ in range(3):
                    await starts.start()
                for _ in range(rounds):
                    both = [(await starts.start(), timed(floor)) for _ in range(size)]
                    ours, floors = (statistics.median(column) for column in zip(*both, strict=True))
                    found.append(Round(ours * 1e3, floors * 1e3))
        return found

    return uvloop.run(run())


def wasm_start(rounds: int, size: int) -> Iterator[Result]:
    """starts of a module whose compiled form is there, until its init has returned, against bare wasmtime"""
    found = measured(MODULE, rounds, size)
    yield Result("start of a Wasm event function", "ms", "instance and init on bare wasmtime", 3.0, found)


def main() -> None:
    path, size = (Path(sys.argv[1]) if len(sys.argv) > 1 else MODULE), int([*sys.argv, "50"][min(len(sys.argv), 2)])
    for one in measured(path, 3, size):
        print(f"{one.ours * 1e3:6.0f} us, bare {one.floor * 1e3:6.0f} us, {one.ratio:.2f}")


if __name__ == "__main__":
    main()
