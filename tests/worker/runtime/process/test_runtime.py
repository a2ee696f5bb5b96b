from pathlib import Path

from attacca.kernel.clock import ManualClock
from attacca.worker.runtime.code_store import SharedCode
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.runtime import ProcessRuntime
from attacca.worker.runtime.process.zygote_manager import ZygoteManager


def test_a_runtime_and_its_zygotes_say_how_they_are(tmp_path: Path) -> None:
    runtime = ProcessRuntime(SharedCode(tmp_path), ProcessOptions(), ManualClock())
    assert repr(runtime) == "<ProcessRuntime 0 sandboxes, 0 templates, 0 processes>"
    zygotes = ZygoteManager(SharedCode(tmp_path), None, lambda _: None, lambda *_: None, lambda _: None, isolate=False)
    assert repr(zygotes) == "<ZygoteManager no zygote, 0 waiting>"
    zygotes.ask(lambda _: None)
    assert repr(zygotes) == "<ZygoteManager no zygote, 1 waiting>"
