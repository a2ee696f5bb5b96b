"""The runtime for modules of WebAssembly beside the one for processes, where wasmtime is installed."""

from pathlib import Path

from attacca.kernel.clock import Clock
from attacca.model.function import Artefact, PythonDirectory, WasmModule
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.runtime import ProcessRuntime
from attacca.worker.runtime.types import Runtime
from attacca.worker.runtime.wasm import hosts
from attacca.worker.runtime.wasm.modules import HOST, is_installed, place_of_wasmtime
from attacca.worker.runtime.wasm.runtime import WasmRuntime

KEPT = "wasm"  # the directory of compiled modules
MEMORY_MB = 65_536  # of a host before it is somebody's, where nothing is said of a worker's


class Installed:
    """A CodeStore: of a host our own part of it, and the packages beside wasmtime."""

    def __init__(self, packages: Path) -> None:
        self.code, self.bundles = HOST.parents[1], packages.parent

    def __repr__(self) -> str:
        return f"<Installed {self.bundles}>"

    def open(self) -> None: ...


def with_modules(
    processes: ProcessRuntime, options: ProcessOptions, clock: Clock, memory_mb: int | None, code: Path
) -> dict[type[Artefact], Runtime]:
    """The runtimes for what is uploaded, by its kind. `code` has what modules are of; what is made of them lies beside
    it."""
    found: dict[type[Artefact], Runtime] = {PythonDirectory: processes}
    if is_installed():
        packages = place_of_wasmtime()
        inner = ProcessRuntime(Installed(packages), options, clock, memory_mb, common=processes.common)
        of = hosts.revision(packages.name, memory_mb or MEMORY_MB)
        found[WasmModule] = WasmRuntime(inner, of, code, code.parent / KEPT, clock)
    return found
