"""Starts of a function in an image beside starts of the same function in the machine's Python, by one runtime.

python bench/image_templates.py [STARTS]

From the order until the sandbox is ready, each from its template, in turns.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import uvloop

from attacca.images.build import Plan, build, python
from attacca.images.store import ImageStore
from attacca.kernel.clock import SystemClock
from attacca.model.function import Artefact, PythonDirectory, PythonImage, Revision, Settings, Signature
from attacca.model.image import CONTRACT, Contract
from attacca.worker.core.reports import Report, SandboxGone, SandboxReady, TemplateReady
from attacca.worker.runtime.code_store import SharedCode
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.runtime import ProcessRuntime
from bench.result import Result, Round

HANDLER = "def handler(event, context): return event\n"
PAUSE_S = 0.05  # the next place is there
BAR = 2.0
TRIES = 3  # before any counts


class Starts:
    """Of a function in an image and of one that is not."""

    def __init__(self, place: Path) -> None:
        code = place / "code" / "f"
        code.mkdir(parents=True)
        (code / "main.py").write_text(HANDLER)
        images = ImageStore(place / "images", place / "tmp")
        images.open()
        plan = Plan(labels={CONTRACT: Contract.GUEST.value})
        digest, _ = build(code, python(images, place, lambda _: None), plan, images)
        self._in_image, self._beside = PythonImage(digest.removeprefix("sha256:")), PythonDirectory("f")
        self._runtime = ProcessRuntime(
            SharedCode(place), ProcessOptions(memory_limits="watch"), SystemClock(), images=images
        )
        self._news: asyncio.Queue[Report] = asyncio.Queue()
        self._count = 0

    async def open(self) -> None:
        await self._runtime.open(self._news.put_nowait)
        for artefact in (self._in_image, self._beside):
            self._runtime.make_template(artefact.what, revision(artefact))
            report = await self._news.get()
            assert isinstance(report, TemplateReady), report

    async def close(self) -> None:
        await self._runtime.close()

    async def pair(self) -> tuple[float, float]:
        """Seconds: in the image, and beside."""
        return await self._start(self._in_image), await self._start(self._beside)

    async def _start(self, artefact: Artefact) -> float:
        await asyncio.sleep(PAUSE_S)
        self._count += 1
        name = f"s{self._count}"
        began = time.perf_counter()
        self._runtime.make_sandbox(name, revision(artefact), artefact.what)
        report = await self._news.get()
        took = time.perf_counter() - began
        assert isinstance(report, SandboxReady), report
        self._runtime.kill(name)
        assert isinstance(await self._news.get(), SandboxGone)
        return took


def revision(artefact: Artefact) -> Revision:
    return Revision(
        function="f", number=1, settings=Settings(name="f"), handler="main:handler",
        signature=Signature.EVENT_CONTEXT, artefact=artefact,
    )  # fmt: skip


def image_template(rounds: int, size: int) -> Iterator[Result]:
    """starts of Python in an image, from a template, against those of the machine's Python"""

    async def run(place: Path) -> list[Round]:
        starts = Starts(place)
        await starts.open()
        try:
            for _ in range(TRIES):
                await starts.pair()
            found = []
            for _ in range(rounds):
                pairs = [await starts.pair() for _ in range(size)]
                both = [statistics.median(column) for column in zip(*pairs, strict=True)]
                found.append(Round(both[0] * 1e3, both[1] * 1e3))
            return found
        finally:
            await starts.close()

    with tempfile.TemporaryDirectory(prefix="attacca-bench-") as place:
        Path(place).chmod(0o755)
        found = uvloop.run(run(Path(place)))
    yield Result("start of Python in an image, from its template", "ms", "process runtime's template start", BAR, found)


def main() -> None:
    size = int([*sys.argv, "20"][1])
    for result in image_template(3, size):
        for one in result.rounds:
            print(f"{result.name}: {one.ours:.2f} ms, {result.floor_name} {one.floor:.2f} ms, {one.ratio:.2f}")


if __name__ == "__main__":
    main()
