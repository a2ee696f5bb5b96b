"""What each sandbox is told follows from its revision and its place, whatever was told before."""

from types import SimpleNamespace
from typing import Any, cast

from msgspec.structs import replace

from attacca.model.function import PythonDirectory, Revision, SecretAs, Settings, Signature
from attacca.worker.runtime.process import telling
from attacca.worker.runtime.process.description import describe
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.quarters import NOWHERE, Birthplace
from attacca.worker.runtime.process.telling import Telling
from attacca.worker.runtime.process.zygote.spawn_spec import NEW_HOME, NEW_NETWORK

PLACES = [
    NOWHERE,
    *(Birthplace(network, home) for network in (0, 1, 2 | NEW_NETWORK) for home in (0, 1, 2, 1 | NEW_HOME)),
]


def revision(name: str, **settings: Any) -> Revision:
    return Revision(
        function=name,
        number=1,
        settings=Settings(name=name, **settings),
        handler="main:handler",
        signature=Signature.EVENT,
        artefact=PythonDirectory("c" * 64),
    )


class Desk:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.telling = Telling(ProcessOptions(), self.secret, cast("Any", None), None, has_groups=True)

    def secret(self, name: str) -> bytes:
        self.asked.append(name)
        return b"value"

    def told(self, of: Revision, place: Birthplace = NOWHERE) -> bytes:
        orders: list[bytes] = []
        made = SimpleNamespace(revision=of, process=SimpleNamespace(place=place), describe=orders.append)
        heard: list[bool] = []
        self.telling.tell(cast("Any", made), heard.append)
        assert heard == [True]
        [order] = orders
        return order


def test_it_is_told_as_if_nobody_had_been_told_before() -> None:
    """Wherever one before it was born, and whoever else had that name."""
    one, other = revision("a"), revision("a", memory_mb=64)
    fresh = {
        (of.settings.memory_mb, place): describe(
            of, ProcessOptions(), Desk().secret, None, template=False, has_groups=True, place=place
        )
        for of in (one, other)
        for place in PLACES
    }
    for before in PLACES:
        desk = Desk()
        desk.told(one, before)
        for of in (one, other, one):
            for place in PLACES:
                assert desk.told(of, place) == fresh[of.settings.memory_mb, place]
    assert desk.told(one) is desk.told(one), "in words once"


def test_a_secret_is_asked_for_each_time_and_what_has_one_is_not_kept() -> None:
    desk, of = Desk(), revision("a", secrets={"KEY": SecretAs.ENV})
    assert desk.told(of) == desk.told(of)
    assert desk.asked == ["KEY", "KEY"]
    assert not desk.telling._kept


def test_so_many_are_kept_and_no_more() -> None:
    desk, of = Desk(), revision("a")
    for number in range(telling.MOST + 1):
        desk.told(replace(of, number=number + 1))
        assert len(desk.telling._kept) <= telling.MOST
