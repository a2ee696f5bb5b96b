"""The runtime of functions in WebAssembly does what every runtime must."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from attacca.kernel.clock import SystemClock
from attacca.model.function import Artefact, Network, PythonDirectory, Revision, Settings, Signature, WasmFunction
from attacca.worker.core.reports import TemplateFailed, TemplateReady
from attacca.worker.runtime.bench import Bench
from attacca.worker.runtime.code_store import SharedCode
from attacca.worker.runtime.conformance import NEEDS, Doing, check_runtime
from attacca.worker.runtime.process.lineage import children
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.runtime import ProcessRuntime
from attacca.worker.runtime.router import Router
from attacca.worker.runtime.types import Runtime
from attacca.worker.runtime.wasm.making import FUNCTIONS, with_modules
from tests.commands import ECHO, FAIL, HOG, PRINT, WAIT, command, handling

SOURCES = {
    Doing.ECHO: command(ECHO),
    Doing.RAISE: command(FAIL),
    Doing.WAIT: command(WAIT),
    Doing.PRINT: command(PRINT),
    Doing.HOG: command(HOG),
    Doing.BROKEN: b"\0asm\1\0\0\0 and no more",
}


class WasmSubject:
    cannot = (Doing.EXIT, Doing.STREAM, Doing.LINKS)  # no process; it reads all before it speaks; it has no network
    networks: Mapping[Network, list[str]] = {}
    raises = "ExitStatus"

    def __init__(self, state: Path, made: Path) -> None:
        """`made` has the machine code of those before it."""
        self._state, self._made = state, made
        shutil.copytree(made, state / FUNCTIONS)
        self._before, self._others = len(os.listdir("/proc/self/fd")), set(children(os.getpid()))
        options, clock = ProcessOptions(memory_limits="watch"), SystemClock()
        processes = ProcessRuntime(SharedCode(state), options, clock, 1024)
        kinds: dict[type[Artefact], Runtime] = {**with_modules(processes, options, clock, 1024, state / "code")}
        del kinds[PythonDirectory]  # which is tried elsewhere
        self.runtime = Router(kinds)

    def function(self, doing: Doing, concurrency: int = 1, network: Network = Network.NONE) -> Revision:
        name = f"{doing}-{concurrency}"
        code = self._state / "code" / name
        code.mkdir(mode=0o755, parents=True, exist_ok=True)
        (code / "main.wasm").write_bytes(SOURCES[doing])
        return Revision(
            function=name,
            number=1,
            settings=Settings(name=name, concurrency=concurrency, memory_mb=64),
            handler="command",
            signature=Signature.WSGI,
            artefact=WasmFunction(name),
        )

    def leftovers(self) -> list[str]:
        shutil.copytree(self._state / FUNCTIONS, self._made, dirs_exist_ok=True)
        processes = [f"process {pid}" for pid in children(os.getpid()) if pid not in self._others]
        descriptors = len(os.listdir("/proc/self/fd")) - self._before
        return processes + [f"{descriptors} descriptors"] * (descriptors > 0)


def test_it_passes_all_checks(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "made").mkdir()

    async def main() -> list[str]:
        def make() -> WasmSubject:
            return WasmSubject(Path(tempfile.mkdtemp(dir=tmp_path)), tmp_path / "made")

        await asyncio.sleep(0)
        return await check_runtime(make)

    left_out = {Doing.EXIT, Doing.STREAM, Doing.LINKS}
    assert asyncio.run(main()) == [check.__name__ for check, needs in NEEDS.items() if not left_out & set(needs)]


def test_what_is_pure_is_tried_as_that(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "made").mkdir()

    async def main() -> None:
        subject = WasmSubject(tmp_path / "state", tmp_path / "made")
        bench = Bench(subject.runtime)
        await subject.runtime.open(bench.witness.hear)
        try:
            revision = subject.function(Doing.ECHO)
            wanted = msgspec.structs.replace(revision, settings=Settings(name="f", memory_mb=64, pure=True))
            refused = await bench.born(bench.make_template(wanted))
            assert isinstance(refused, TemplateFailed)
            assert (refused.code, "it imports 'fd_read'" in refused.message) == ("bad_function", True)
            (tmp_path / "state" / "code" / "pure").mkdir()
            (tmp_path / "state" / "code" / "pure" / "main.wasm").write_bytes(handling())
            found = await bench.born(
                bench.make_template(msgspec.structs.replace(wanted, artefact=WasmFunction("pure")))
            )
            assert isinstance(found, TemplateReady)
            assert (found.unfit, found.handler) == ("", "handle")
        finally:
            await subject.runtime.close()

    asyncio.run(main())
