"""Where wasmtime is installed, a worker has a runtime for modules, which shares users and cgroups with the other."""

from pathlib import Path

from attacca.kernel.clock import ManualClock
from attacca.model.function import PythonDirectory, WasmModule
from attacca.worker.runtime.code_store import SharedCode
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.runtime import ProcessRuntime
from attacca.worker.runtime.wasm.making import Installed, with_modules
from attacca.worker.runtime.wasm.modules import place_of_wasmtime


def test_modules_have_a_runtime_of_their_own(tmp_path: Path) -> None:
    options, clock = ProcessOptions(), ManualClock()
    processes = ProcessRuntime(SharedCode(tmp_path), options, clock, 512)
    found = with_modules(processes, options, clock, 512, tmp_path / "code")
    assert found[PythonDirectory] is processes
    assert str(found[WasmModule]).startswith("<WasmRuntime 0 instances")
    assert (place_of_wasmtime() / "wasmtime").is_dir()
    installed = Installed(Path("/lib/packages"))
    assert repr(installed) == "<Installed /lib>"
    assert (installed.code / "wasm" / "host" / "main.py").is_file()
