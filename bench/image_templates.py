"""Starts of a function in an image beside starts of the same function in the machine's Python, by one runtime.

python bench/image_templates.py [STARTS]

From the order until the sandbox is ready, each from its template, in turns.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import uvloop

from attacca.images.build import Plan, build, python
from attacca.images.store import ImageStore
from attacca.kernel.clock import SystemClock
from attacca.model.function import Artefact, PythonDirectory, PythonImage, Revision, Settings, Signature
from attacca.model.image import CONTRACT, Contract
from attacca.worker.runtime.code_store import SharedCode
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.runtime import ProcessRuntime
from bench.orders import Orders, in_turns
from bench.places import place
from bench.result import Result, Round

HANDLER = "def handler(event, context): return event\n"
BAR = 2.0
TRIES = 3  # before any counts


class Starts(Orders):
    """Of a function in an image and of one that is not."""

    def __init__(self, at: Path) -> None:
        code = at / "code" / "f"
        code.mkdir(parents=True)
        (code / "main.py").write_text(HANDLER)
        images = ImageStore(at / "images", at / "tmp")
        images.open()
        plan = Plan(labels={CONTRACT: Contract.GUEST.value})
        digest, _ = build(code, python(images, at, lambda _: None), plan, images)
        self._in_image, self._beside = PythonImage(digest.removeprefix("sha256:")), PythonDirectory("f")
        super().__init__(
            ProcessRuntime(SharedCode(at), ProcessOptions(memory_limits="watch"), SystemClock(), images=images)
        )

    async def open(self) -> None:
        await super().open()
        for artefact in (self._in_image, self._beside):
            await self.make_template(artefact.what, revision(artefact))

    async def in_image(self) -> float:
        return await self.start(revision(self._in_image), self._in_image.what)

    async def beside(self) -> float:
        return await self.start(revision(self._beside), self._beside.what)


def revision(artefact: Artefact) -> Revision:
    return Revision(
        function="f", number=1, settings=Settings(name="f"), handler="main:handler",
        signature=Signature.EVENT_CONTEXT, artefact=artefact,
    )  # fmt: skip


def image_template(rounds: int, size: int) -> Iterator[Result]:
    """starts of Python in an image, from a template, against those of the machine's Python"""

    async def run(at: Path) -> list[Round]:
        starts = Starts(at)
        await starts.open()
        try:
            await in_turns(starts.in_image, starts.beside, 1, TRIES)
            return await in_turns(starts.in_image, starts.beside, rounds, size)
        finally:
            await starts.close()

    with place() as at:
        found = uvloop.run(run(at))
    yield Result("start of Python in an image, from its template", "ms", "process runtime's template start", BAR, found)


def main() -> None:
    size = int([*sys.argv, "20"][1])
    for result in image_template(3, size):
        for one in result.rounds:
            print(f"{result.name}: {one.ours:.2f} ms, {result.floor_name} {one.floor:.2f} ms, {one.ratio:.2f}")


if __name__ == "__main__":
    main()
