"""Where wasmtime is installed, a worker has a runtime for modules, which shares users and cgroups with the other."""

from pathlib import Path

from attacca.kernel.clock import ManualClock
from attacca.model.function import PythonDirectory, WasmFunction, WasmModule
from attacca.worker.runtime.code_store import SharedCode
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.runtime import ProcessRuntime
from attacca.worker.runtime.wasm.making import Compiled, Installed, with_modules
from attacca.worker.runtime.wasm.modules import place_of_wasmtime


def test_modules_have_a_runtime_of_their_own(tmp_path: Path) -> None:
    options, clock = ProcessOptions(), ManualClock()
    processes = ProcessRuntime(SharedCode(tmp_path), options, clock, 512)
    found = with_modules(processes, options, clock, 512, tmp_path / "code")
    assert found[PythonDirectory] is processes
    assert str(found[WasmModule]).startswith("<WasmRuntime 0 instances")
    assert str(found[WasmFunction]).startswith("<WasmFunctions 0 on their way")
    assert (place_of_wasmtime() / "wasmtime").is_dir()
    installed = Installed(Path("/lib/packages"))
    assert repr(installed) == "<Installed /lib>"
    assert (installed.code / "wasm" / "host" / "main.py").is_file()


def test_what_was_left_unfinished_is_thrown_away(tmp_path: Path) -> None:
    (tmp_path / "made" / ".unfinished-1").mkdir(parents=True)
    (tmp_path / "made" / "whole").mkdir()
    compiled = Compiled(tmp_path / "made", Path("/lib/packages"))
    compiled.open()
    assert (repr(compiled), compiled.bundles) == (f"<Compiled {tmp_path}/made>", Path("/lib"))
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["whole"]
