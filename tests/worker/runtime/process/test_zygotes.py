import asyncio
from functools import partial
from pathlib import Path

import msgspec

from attacca.errors import IsolationMissing
from attacca.model.function import PythonDirectory
from attacca.worker.runtime.code_store import SharedCode
from attacca.worker.runtime.process.zygote_manager import ZygoteManager
from attacca.worker.runtime.process.zygotes import Zygotes
from tests.gateway.play import revision

BARE = revision("bare")
FULL = msgspec.structs.replace(BARE, artefact=PythonDirectory("code", "libraries"))


class Manager(ZygoteManager):
    """One that is there at once, or never."""

    async def open(self) -> None:
        if not self.can_open:
            raise IsolationMissing("refused", "none")
        self.ready.set()

    can_open = True


class Stubborn(Manager):
    can_open = False


def zygotes(place: Path, manager: type[ZygoteManager]) -> Zygotes:
    for name in ("code/code", "bundles/libraries"):
        (place / name).mkdir(parents=True, exist_ok=True)
    told = SharedCode(place), None, lambda _: None, lambda *_: None, lambda _: None
    return Zygotes(partial(manager, *told, isolate=False), SharedCode(place))


def test_there_is_one_indoors_and_others_once_somebody_is_to_be_born_of_them(tmp_path: Path) -> None:
    async def story() -> None:
        them = zygotes(tmp_path, Manager)
        assert them.of(BARE, is_outdoors=False) is them.indoors
        assert repr(them) == "<Zygotes <ZygoteManager no zygote, 0 waiting>>"
        outdoors = them.of(BARE, is_outdoors=True)
        assert outdoors is them.of(BARE, is_outdoors=True) is not them.indoors
        assert them.of(FULL, is_outdoors=False) is them.indoors, "as long as there is no better one"
        await asyncio.sleep(0)
        furnished = them.of(FULL, is_outdoors=False)
        assert furnished not in (them.indoors, outdoors)
        assert them.of(BARE, is_outdoors=False) is them.indoors
        assert repr(them).startswith("<Zygotes <ZygoteManager no zygote, 0 waiting>, outdoors <")
        assert ", indoors and furnished <ZygoteManager ready, 0 waiting>>" in repr(them)
        furnished.ready.clear()
        assert them.of(FULL, is_outdoors=False) is them.indoors, "while it is made again"
        assert them.of(FULL, is_outdoors=True) is outdoors
        assert them.clients() == []
        await them.close()

    asyncio.run(story())


def test_one_that_cannot_be_had_is_tried_again_for_the_next(tmp_path: Path) -> None:
    async def story() -> None:
        them = zygotes(tmp_path, Stubborn)
        for _ in range(2):
            assert them.of(FULL, is_outdoors=False) is them.indoors
            assert "furnished" in repr(them)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert "furnished" not in repr(them)
        await them.close()

    asyncio.run(story())
