"""Functions in images, which run as processes of the Python there, do what every runtime must."""

import asyncio
import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any

from attacca.kernel.clock import SystemClock
from attacca.model.function import Network, PythonImage, Revision, Settings, Signature
from attacca.worker.runtime.code_store import SharedCode
from attacca.worker.runtime.conformance import NEEDS, Doing, check_runtime
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.runtime import ProcessRuntime
from tests.live import outside
from tests.live.guest_image import Images
from tests.live.test_process_conformance import SOURCES, ProcessSubject


class ImageSubject(ProcessSubject):
    def __init__(self, state: Path, images: Images, **options: Any) -> None:
        super().__init__(state, **options)
        self.runtime = ProcessRuntime(SharedCode(state), ProcessOptions(**options), SystemClock(), images=images)

    def function(self, doing: Doing, concurrency: int = 1, network: Network = Network.NONE) -> Revision:
        name = f"{doing}-{concurrency}-{network}"
        return Revision(
            function=name,
            number=1,
            settings=Settings(name=name, concurrency=concurrency, memory_mb=64, network=network),
            handler=f"do_{doing}:handler",
            signature=Signature.ASGI if doing is Doing.STREAM else Signature.EVENT_CONTEXT,
            artefact=PythonImage("all"),
        )


def test_it_passes_all_checks(tmp_path: Path) -> None:
    options: dict[str, Any] = {} if os.geteuid() == 0 else {"memory_limits": "watch"}
    tmp_path.chmod(0o755)
    images = Images(tmp_path / "images")
    images.put("all", {f"do_{doing}.py": source for doing, source in SOURCES.items()})

    async def main() -> list[str]:
        def make() -> ImageSubject:
            return ImageSubject(Path(tempfile.mkdtemp(dir=tmp_path)), images, **options)

        await asyncio.sleep(0)
        return await check_runtime(make)

    with outside.outside() if os.geteuid() == 0 else contextlib.nullcontext():
        passed = asyncio.run(main())
    assert passed == [check.__name__ for check in NEEDS]
