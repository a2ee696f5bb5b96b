"""The runtime for modules of WebAssembly beside the one for processes, where wasmtime is installed."""

import shutil
from pathlib import Path

import msgspec

from attacca.kernel.clock import Clock
from attacca.model.function import Artefact, PythonDirectory, PythonImage, WasmFunction, WasmModule
from attacca.worker.runtime.process.description import Secret, no_secret
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.runtime import ProcessRuntime
from attacca.worker.runtime.types import Runtime
from attacca.worker.runtime.wasm import hosts
from attacca.worker.runtime.wasm.functions import WasmFunctions
from attacca.worker.runtime.wasm.machine_code import UNFINISHED, MachineCode
from attacca.worker.runtime.wasm.modules import HOST, is_installed, place_of_wasmtime
from attacca.worker.runtime.wasm.runtime import WasmRuntime

KEPT, FUNCTIONS = "wasm", "wasm-functions"  # directories of compiled modules
MACHINE_CODE_MB = 256  # of one function: CPython takes 35
MEMORY_MB = 65_536  # of a host before it is somebody's, where nothing is said of a worker's


class Installed:
    """A CodeStore: of a host our own part of it, and the packages beside wasmtime."""

    def __init__(self, packages: Path) -> None:
        self.code, self.bundles = HOST.parents[1], packages.parent

    def __repr__(self) -> str:
        return f"<Installed {self.bundles}>"

    def open(self) -> None: ...


class Compiled:
    """A CodeStore: of functions their machine code, and the packages beside wasmtime."""

    def __init__(self, code: Path, packages: Path) -> None:
        self.code, self.bundles = code, packages.parent

    def __repr__(self) -> str:
        return f"<Compiled {self.code}>"

    def open(self) -> None:
        self.code.mkdir(mode=0o755, parents=True, exist_ok=True)
        for left in self.code.glob(f"{UNFINISHED}*"):
            shutil.rmtree(left, ignore_errors=True)


def with_modules(
    processes: ProcessRuntime,
    options: ProcessOptions,
    clock: Clock,
    memory_mb: int | None,
    code: Path,
    secret: Secret = no_secret,
) -> dict[type[Artefact], Runtime]:
    """The runtimes for what is uploaded, by its kind. `code` has what modules are of; what is made of them lies beside
    it."""
    found: dict[type[Artefact], Runtime] = {PythonDirectory: processes}
    if options.isolation != "none":
        found[PythonImage] = processes
    if is_installed():
        packages = place_of_wasmtime()
        of_hosts = msgspec.structs.replace(options, max_response_mb=MACHINE_CODE_MB)  # who compiles answers with it
        inner = ProcessRuntime(Installed(packages), of_hosts, clock, memory_mb, common=processes.common)
        of = hosts.revision(packages.name, memory_mb or MEMORY_MB)
        events = found[WasmModule] = WasmRuntime(inner, of, code, code.parent / KEPT, clock)
        made = MachineCode(code, code.parent / FUNCTIONS, events.compile_function)
        store = Compiled(made.kept, packages)
        within = ProcessRuntime(store, options, clock, memory_mb, secret, processes.common)
        found[WasmFunction] = WasmFunctions(within, packages.name, made, clock)
    return found
