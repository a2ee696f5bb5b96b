"""The process runtime does what every runtime must."""

import asyncio
import contextlib
import os
import tempfile
import textwrap
from pathlib import Path
from typing import Any

import pytest

from attacca.kernel.clock import SystemClock
from attacca.model.function import Network, PythonDirectory, Revision, Settings, Signature
from attacca.worker.host import netlink
from attacca.worker.runtime.code_store import SharedCode
from attacca.worker.runtime.conformance import NEEDS, Doing, check_runtime
from attacca.worker.runtime.process.lineage import children
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.runtime import ProcessRuntime
from tests.live import needed, ordinary, outside

SOURCES = {
    Doing.ECHO: "def handler(event, context): return event",
    Doing.RAISE: "def handler(event, context): raise ValueError('no')",
    Doing.EXIT: "import os\ndef handler(event, context): os._exit(3)",
    Doing.WAIT: "import threading\ndef handler(event, context): threading.Event().wait()",
    Doing.PRINT: "def handler(event, context): print('hello')",
    Doing.HOG: "def handler(event, context): return len(b'x' * (1 << 30))",
    Doing.LINKS: "import socket\ndef handler(event, context): return sorted(name for _, name in socket.if_nameindex())",
    Doing.BROKEN: "import nothing_of_this_name\ndef handler(event, context): pass",
    Doing.STREAM: """
        async def handler(scope, receive, send):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            more = True
            while more:
                message = await receive()
                more = message["more_body"]
                if message["body"]:
                    await send({"type": "http.response.body", "body": message["body"], "more_body": True})
            await send({"type": "http.response.body"})
        """,
}


class ProcessSubject:
    cannot = ()
    raises = "ValueError"

    def __init__(self, state: Path, **options: Any) -> None:
        self._state = state
        is_isolated, is_root = options.get("isolation") != "none", os.geteuid() == 0
        modes = {Network.NONE: ["lo"], Network.HOST: sorted(netlink.links())} if is_isolated else {}
        has_way_out = is_root and is_isolated and not needed.is_left_out("nft")
        self.networks = {**modes, Network.NAT: ["eth0", "lo"]} if has_way_out else modes
        self._before, self._others = len(os.listdir("/proc/self/fd")), set(children(os.getpid()))
        self.runtime = ProcessRuntime(SharedCode(state), ProcessOptions(**options), SystemClock())

    def function(self, doing: Doing, concurrency: int = 1, network: Network = Network.NONE) -> Revision:
        name = f"{doing}-{concurrency}-{network}"
        code = self._state / "code" / name
        code.mkdir(mode=0o755, exist_ok=True)
        (code / "main.py").write_text(textwrap.dedent(SOURCES[doing]))
        return Revision(
            function=name,
            number=1,
            settings=Settings(name=name, concurrency=concurrency, memory_mb=64, network=network),
            handler="main:handler",
            signature=Signature.ASGI if doing is Doing.STREAM else Signature.EVENT_CONTEXT,
            artefact=PythonDirectory(name),
        )

    def leftovers(self) -> list[str]:
        processes = [f"process {pid}" for pid in children(os.getpid()) if pid not in self._others]
        descriptors = len(os.listdir("/proc/self/fd")) - self._before
        ways_out = outside.left() if os.geteuid() == 0 else []
        return processes + [f"{descriptors} descriptors"] * (descriptors > 0) + ways_out


WAYS: list[dict[str, Any]] = [{"memory_limits": "watch"}, {"memory_limits": "watch", "isolation": "none"}]


@pytest.mark.parametrize("options", [*WAYS, *([{}] if os.geteuid() == 0 else [])], ids=str)
def test_it_passes_all_checks(options: dict[str, Any], tmp_path: Path) -> None:
    tmp_path.chmod(0o755)

    async def main() -> list[str]:
        def make() -> ProcessSubject:
            return ProcessSubject(Path(tempfile.mkdtemp(dir=tmp_path)), **options)

        await asyncio.sleep(0)
        return await check_runtime(make)

    with outside.outside() if os.geteuid() == 0 else contextlib.nullcontext():
        passed = asyncio.run(main())
    assert passed == [check.__name__ for check in NEEDS]


@pytest.mark.skipif(os.geteuid() != 0, reason="already an ordinary user")
def test_all_of_this_holds_for_an_ordinary_user_too() -> None:
    ordinary.run_again(__file__)
