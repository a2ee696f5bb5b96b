import msgspec

from attacca.control.core.catalogue import CatalogueState, deployed
from attacca.control.core.workers import Workers
from attacca.errors import NoCapacity
from attacca.model.function import Network
from attacca.model.machine import Device, Machine
from attacca.model.messages import WorkerJoined
from attacca.model.resources import Resources
from attacca.model.sandbox import Capacity, DeviceView
from tests.control.peers import NAME, VIEW
from tests.worker.stage import revision


def test_a_worker_with_less_memory_says_what_it_keeps() -> None:
    functions = [
        deployed(None, revision(name, min_sandboxes=count)) for name, count in (("ant", 20), ("bee", 2), ("c", 0))
    ]
    catalogue, workers = CatalogueState(functions, epoch=1), Workers(10.0)
    workers.join(0.0, WorkerJoined(VIEW, Capacity(resources=Resources(1000))), catalogue)
    granted = workers.by_name[NAME].granted
    short = [(settings.name, kept) for settings, kept in workers.short(NAME, catalogue)]
    assert short == [("ant", granted["ant"]), ("bee", 0)]
    assert 0 < granted["ant"] < 20


def test_code_is_checked_and_made_ahead_where_it_can_run() -> None:
    asked = revision("ant", network=Network.NAT)
    kind = asked.needs[0]
    catalogue, workers = CatalogueState([deployed(None, asked)], epoch=1), Workers(10.0)
    for name, networks in (("w1", ("none",)), ("w2", ("nat", "none"))):
        joined = WorkerJoined(msgspec.structs.replace(VIEW, name=name), machine=Machine(networks={kind: networks}))
        workers.join(0.0, joined, catalogue)
    assert workers.pick((kind, "none", 0.0)) == "w1"
    assert workers.pick(asked.needs) == workers.place(asked, 1, catalogue) == "w2"
    del workers.by_name["w2"]
    assert workers.pick(asked.needs) == "w1", "its refusal says why"
    refusal = workers.place(asked, 1, catalogue)
    assert isinstance(refusal, NoCapacity)
    assert refusal.message == f"worker 'w1' cannot have it: it gives {kind} no network = \"nat\""


def test_a_device_that_is_gone_is_not_counted_on_until_it_is_back() -> None:
    asked = revision("ant", gpu=1.0)
    catalogue, workers = CatalogueState([deployed(None, asked)], epoch=1), Workers(10.0)
    for name in ("w1", "w2"):
        machine = Machine(devices=(Device(name="GPU-1"),))
        workers.join(0.0, WorkerJoined(msgspec.structs.replace(VIEW, name=name), machine=machine), catalogue)
    for is_gone, able in ((True, "w2"), (False, "w1")):
        devices = (DeviceView(name="GPU-1", is_gone=is_gone),)
        workers.hear(1.0, msgspec.structs.replace(VIEW, name="w1", devices=devices))
        assert workers.pick(asked.needs) == workers.place(asked, 1, catalogue) == able
    both = (DeviceView(name="GPU-1", is_gone=True),)
    for name in ("w1", "w2"):
        workers.hear(2.0, msgspec.structs.replace(VIEW, name=name, devices=both))
    refusal = workers.place(asked, 1, catalogue)
    assert isinstance(refusal, NoCapacity)
    assert refusal.message.endswith("it has 1 accelerators, of which 1 are gone, and 1 are asked for")


def test_what_is_made_ahead_is_made_where_most_memory_is_free() -> None:
    asked = revision("ant", memory_mb=100)
    catalogue, workers = CatalogueState([deployed(None, asked)], epoch=1), Workers(10.0)
    views = [msgspec.structs.replace(VIEW, name=name) for name in ("w1", "w2", "w3")]
    for view, memory_mb in zip(views, (4000, 4000, 3500), strict=True):
        workers.join(0.0, WorkerJoined(view, Capacity(resources=Resources(memory_mb))), catalogue)
    assert [workers.place(asked, 10, catalogue) for _ in range(4)] == ["w1", "w2", "w3", "w1"]
    for view, used_mb in zip(views, (3000, 2500, 1000), strict=True):
        workers.hear(1.0, msgspec.structs.replace(view, used=Resources(used_mb), draining=view.name == "w3"))
    assert [workers.place(asked, 10, catalogue) for _ in range(3)] == ["w2", "w1", "w2"]
    del workers.by_name["w1"], workers.by_name["w2"]
    assert workers.place(asked, 10, catalogue) == "w3", "it drains, and there is nobody else"
