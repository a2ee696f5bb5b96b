"""Where a sandbox is born that is made from nothing."""

import asyncio
from pathlib import Path

import pytest

from attacca.model.function import Network, PythonDirectory, Revision, Settings, Signature
from attacca.worker.runtime.code_store import SharedCode
from attacca.worker.runtime.process.homes import NONE
from attacca.worker.runtime.process.quarters import NOWHERE, Quarters
from attacca.worker.runtime.process.zygote.spawn_spec import NEW_HOME

PLAIN = Settings(name="f")


class Sandbox:
    is_ready = True


class Client:
    def __init__(self) -> None:
        self.is_open, self.forgotten = True, list[int]()

    def forget(self, home: int) -> None:
        self.forgotten.append(home)


def revision(code: str = "c1", bundle: str | None = None, settings: Settings = PLAIN) -> Revision:
    return Revision(
        function="f", number=1, settings=settings, handler="main:handler", signature=Signature.NAMED,
        artefact=PythonDirectory(code, bundle),
    )  # fmt: skip


@pytest.fixture
def quarters(tmp_path: Path) -> Quarters:
    store = SharedCode(tmp_path)
    store.open()
    for name in ("c1", "c2"):
        (store.code / name).mkdir()
    (store.bundles / "b1").mkdir()
    return Quarters(store)


def homes(quarters: Quarters, *revisions: Revision, client: Client | None = None) -> list[int]:
    async def story() -> list[int]:
        one = client or keeper
        found = [quarters.take(each, Sandbox(), one).home for each in revisions]
        if quarters._look is not None:
            quarters._look.cancel()
        return found

    keeper = Client()
    return asyncio.run(story())


def test_what_sees_the_same_is_born_in_the_same(quarters: Quarters) -> None:
    found = homes(quarters, revision(), revision(), revision("c2"), revision(bundle="b1"), revision(), revision("c3"))
    assert found == [1 | NEW_HOME, 1, 2 | NEW_HOME, 3 | NEW_HOME, 1, NONE]


def test_what_sees_more_than_its_code_puts_it_together_by_itself(quarters: Quarters) -> None:
    given = revision(settings=Settings(name="f", gpu=1.0, env={"NVIDIA_VISIBLE_DEVICES": "0"}))
    assert homes(quarters, given, given) == [NONE, NONE]
    assert quarters.take(revision(settings=Settings(name="f", network=Network.NAT)), Sandbox(), Client()) == NOWHERE


def test_of_another_zygote_nothing_is_known(quarters: Quarters) -> None:
    first, second = Client(), Client()
    assert homes(quarters, revision(), revision(), client=first) == [1 | NEW_HOME, 1]
    second.is_open = False
    assert homes(quarters, revision(), client=second) == [NONE], "it is lost already"
    third = Client()
    assert homes(quarters, revision(), revision(), client=third) == [1 | NEW_HOME, 1]


def test_the_zygote_lets_go_of_those_that_rest(quarters: Quarters) -> None:
    client = Client()

    async def story() -> None:
        quarters.take(revision(), Sandbox(), client)
        loop = asyncio.get_running_loop()
        quarters._homes._used[1] -= 1000.0
        quarters._look_round(loop)
        assert quarters._look is None, "there is nothing to look at any more"

    asyncio.run(story())
    assert client.forgotten == [1]
    assert repr(quarters) == "<Quarters <Berths 1 taken, 0 free>, <Homes 0 of 64>>"
