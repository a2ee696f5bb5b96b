"""Functions in micro-VMs that do what their names say."""

import os
import textwrap
from pathlib import Path
from typing import Any, ClassVar

from attacca.kernel.clock import SystemClock
from attacca.model.function import MicroVm, Network, Revision, Settings, Signature
from attacca.worker.host.nat.outside import Nat
from attacca.worker.runtime.code_store import SharedCode
from attacca.worker.runtime.conformance import Doing
from attacca.worker.runtime.microvm.options import MicroVmOptions
from attacca.worker.runtime.microvm.runtime import MicroVmRuntime
from attacca.worker.runtime.process.common import Common
from attacca.worker.runtime.process.lineage import children
from attacca.worker.runtime.process.options import ProcessOptions
from tests.live import outside
from tests.live.patience import patiently
from tests.live.test_process_conformance import SOURCES

BOOT_S = patiently(240.0)  # emulated, on a machine that has other work
USUAL = MicroVmOptions(boot_timeout_s=BOOT_S)


class MicroVmSubject:
    cannot = ()
    raises = "ValueError"
    networks: ClassVar = (
        {Network.NONE: ["lo"], Network.NAT: ["eth0", "lo"]} if os.geteuid() == 0 else {Network.NONE: ["lo"]}
    )

    def __init__(self, state: Path, own: MicroVmOptions = USUAL, nat: Nat | None = None, **options: Any) -> None:
        """`state` keeps the disks between checks."""
        self.state = state
        self._before, self._others = len(os.listdir("/proc/self/fd")), set(children(os.getpid()))
        self.clock = SystemClock()
        shared = ProcessOptions(**{"memory_limits": "watch", "start_timeout_s": patiently(120.0), **options})
        self._nat, common = nat, Common(shared, None, nat)
        self.runtime = MicroVmRuntime(SharedCode(state), own, shared, state / "microvms", self.clock, common=common)

    def function(self, doing: Doing, concurrency: int = 1, network: Network = Network.NONE) -> Revision:
        name = f"{doing}-{concurrency}-{network}"
        code = self.state / "code" / name
        code.mkdir(mode=0o755, parents=True, exist_ok=True)
        (code / "main.py").write_text(textwrap.dedent(SOURCES[doing]))
        return Revision(
            function=name,
            number=1,
            settings=Settings(name=name, concurrency=concurrency, memory_mb=64, network=network),
            handler="main:handler",
            signature=Signature.ASGI if doing is Doing.STREAM else Signature.EVENT_CONTEXT,
            artefact=MicroVm(name),
        )

    def leftovers(self) -> list[str]:
        processes = [f"process {pid}" for pid in children(os.getpid()) if pid not in self._others]
        descriptors = len(os.listdir("/proc/self/fd")) - self._before
        cables = [] if self._nat is None else outside.left()
        return cables + processes + [f"{descriptors} descriptors"] * (descriptors > 0)
