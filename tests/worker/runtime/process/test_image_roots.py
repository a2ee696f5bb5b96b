import asyncio
from pathlib import Path

from attacca.errors import AttaccaError, BadImage
from attacca.kernel.clock import ManualClock
from attacca.model.image import ImageConfig, UnpackedImage
from attacca.worker.runtime.process.description import no_secret
from attacca.worker.runtime.process.image_roots import ImageRoots
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.telling import Telling

Told = tuple[UnpackedImage | AttaccaError, float]


class Shelf:
    """A `Roots` in memory: an image that is there, one that is not, and one that never comes."""

    roots = Path("/images")

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock

    def open(self) -> None: ...

    async def rootfs(self, digest: str) -> UnpackedImage:
        if digest == "never":
            await asyncio.Event().wait()
        if digest == "damaged":
            raise BadImage("it is damaged", "push it again")
        if digest == "full":
            raise OSError("no space left")
        self._clock.time += 0.25
        return UnpackedImage(digest, f"/images/{digest}", ImageConfig())


def test_whoever_waits_hears_of_the_image_or_why_there_is_none(logged: list[str]) -> None:
    told: dict[str, Told] = {}

    async def main() -> None:
        clock = ManualClock()
        images = ImageRoots(Shelf(clock), clock)
        for digest in ("here", "damaged", "full", "never"):
            images.bring(digest, lambda *found, digest=digest: told.update({digest: found}))
        assert repr(images) == "<ImageRoots 4 waited for>"
        assert repr(telling(images)) == "<Telling <ImageRoots 4 waited for>>"
        for _ in range(3):
            await asyncio.sleep(0)
        assert set(told) == {"here", "damaged", "full"}
        await images.close()
        assert repr(images) == "<ImageRoots 0 waited for>"

    asyncio.run(main())
    assert told["here"] == (UnpackedImage("here", "/images/here", ImageConfig()), 250.0)
    assert str(told["damaged"][0]) == "it is damaged"
    assert str(told["full"][0]) == "the image did not come: no space left"
    assert str(told["never"][0]) == "it was given up before its image had come"


def telling(images: ImageRoots) -> Telling:
    return Telling(ProcessOptions(), no_secret, images, None, has_groups=False)


def test_where_no_image_is_run_there_is_no_place_for_them() -> None:
    clock = ManualClock()
    assert (ImageRoots(None, clock).place, ImageRoots(Shelf(clock), clock).place) == ("", "/images")
