"""Who is told to fetch what, and what placement knows of where it lies."""

import msgspec

from attacca.control.core.control import ControlCore
from attacca.control.core.events import Command, Event, Put, Restored, Stored, Tick
from attacca.control.core.stocks import Stocks
from attacca.control.core.stored import Function
from attacca.kernel.rand import Streams
from attacca.model.function import PythonDirectory, Revision
from attacca.model.machine import Machine
from attacca.model.messages import Heartbeat, Send, WorkerJoined, WorkerLeft
from attacca.model.resources import NOTHING, Resources
from attacca.model.sandbox import WorkerView
from attacca.model.supplies import Ahead, Prefetch, Stock
from attacca.policy.placement.types import Near
from tests.control.cluster import Cluster
from tests.worker.stage import revision

DIGESTS = {"f": "f" * 8, "g": "a" * 8}


def made(name: str) -> Revision:
    return msgspec.structs.replace(revision(name), artefact=PythonDirectory(DIGESTS[name]))


class House:
    """A control that is open, with two functions; `told`: who was told to fetch what."""

    def __init__(self, ahead: Ahead) -> None:
        self.core = ControlCore(Streams(1).stream("placement"), silent_s=10.0, prefetch=ahead)
        self.now = 0.0
        functions = tuple((Function(name, 1, 1, (made(name),)), 1) for name in DIGESTS)
        [put] = [one for one in self.core.handle(0.0, Restored(functions, (), 0)) if isinstance(one, Put)]
        self.core.handle(-10.0, Stored(put.id, 1))
        assert self.feed(Tick()) == []

    def feed(self, event: Event) -> list[tuple[str, str]]:
        return told(self.core.handle(self.now, event))

    def join(self, name: str, *digests: str, machine: Machine | None = None) -> list[tuple[str, str]]:
        view = WorkerView(
            name=name, capacity=Resources(1000), used=NOTHING, queued=0, running=0, limit=1
        )  # fmt: skip
        assert self.feed(WorkerJoined(view, address="h:1", machine=machine)) == []
        return self.feed(Stock(name, digests))


def told(commands: list[Command]) -> list[tuple[str, str]]:
    sent = [one for one in commands if isinstance(one, Send)]
    return [(one.peer, one.message.revision.function) for one in sent if isinstance(one.message, Prefetch)]


def test_all_fetch_what_they_have_not_also_who_joins_later() -> None:
    house = House(Ahead.ALL)
    assert house.join("w1", DIGESTS["f"]) == [("w1", "g")]
    assert house.join("w2") == [("w2", "f"), ("w2", "g")]
    assert house.feed(Stock("w2", (DIGESTS["f"],))) == [], "it is on its way"
    assert house.feed(Stock("w2", ())) == [], "there is no room for it, and it was told once"


def test_one_has_it_and_when_that_one_is_gone_another() -> None:
    house = House(Ahead.ONE)
    assert house.join("w1") == [("w1", "f"), ("w1", "g")]
    assert house.join("w2", DIGESTS["g"]) == []
    assert house.feed(WorkerLeft("w1", "bye")) == [("w2", "f")]


def test_who_is_silent_is_not_counted_on_and_keeps_what_it_has() -> None:
    house = House(Ahead.ONE)
    house.join("w1", *DIGESTS.values())
    house.now = 9.0
    house.join("w2")
    house.now = 11.0
    assert house.feed(Tick()) == [("w2", "f"), ("w2", "g")]
    assert house.core.stocks.where(made("f")) == ("w1",)
    assert repr(house.core.stocks) == "<Stocks of 2 workers, 2 fetched ahead>"


def test_after_control_was_away_one_is_looked_for_when_all_have_had_their_time_to_come_back() -> None:
    stocks, out = Stocks(Ahead.ONE, 10.0), list[Command]()
    house = House(Ahead.NONE)
    house.join("w1")
    house.join("w2")
    both, heard = [made("f"), made("g")], house.core.workers.heard()
    stocks.begin(0.0)
    stocks.hear(Stock("w1", ()), both, heard, out)
    stocks.hear(Stock("w2", (DIGESTS["f"],)), both, heard, out)
    assert told(out) == []
    assert stocks.settles_at == 10.0
    stocks.settle(both, heard, out)
    assert told(out) == [("w1", "g")]


def test_nobody_is_told_unless_it_is_asked_for_nor_who_could_not_run_it() -> None:
    for ahead in (Ahead.NONE, Ahead.ON_DEPLOY):
        assert House(ahead).join("w1") == []
    assert House(Ahead.ALL).join("w1", machine=Machine(networks={"image": ("none",)})) == []


def test_what_is_deployed_is_fetched_by_those_that_are_there() -> None:
    stocks = Stocks(Ahead.ON_DEPLOY)
    house = House(Ahead.NONE)
    for name, digests in (("w1", ()), ("w2", (DIGESTS["f"],)), ("w3", ())):
        house.join(name, *digests)
        if name != "w3":  # it has not said what it has: it is not apart
            stocks.hear(Stock(name, digests), [], [], [])
    out: list[Command] = []
    stocks.deployed(made("f"), house.core.workers.heard(), out)
    assert told(out) == [("w1", "f")]


def test_placement_goes_where_the_code_lies() -> None:
    c = Cluster(workers=(), placement="locality")
    for name, digests in (("w1", ()), ("w2", c.revision.artefact.digests)):
        c.join(name)
        c.feed(Stock(name, digests))
    function = c.core.cluster.functions["f"]
    assert function.near == {"w2": Near.CODE}
    assert repr(c.core.cluster.nearby) == "<Nearby 1 digests on 2 workers>"
    c.feed(Stock("w2", ()))
    assert function.near == {}
    c.feed(Stock("w1", c.revision.artefact.digests))
    assert function.near == {"w1": Near.CODE}
    c.up()
    assert Near.TEMPLATE in function.near.values()
    c.feed(WorkerLeft("w1", "bye"))
    assert function.near.get("w1") is not Near.CODE


def test_whoever_has_not_joined_says_nothing() -> None:
    house = House(Ahead.ALL)
    assert house.feed(Stock("w9", ())) == []
    assert house.core.stocks.by_worker == {}
    assert house.feed(Heartbeat(WorkerView(
        name="w9", capacity=Resources(1), used=NOTHING, queued=0, running=0, limit=1
    ))) == []  # fmt: skip
