from attacca.control.core.catalogue import CatalogueState, deployed
from attacca.control.core.workers import Workers
from attacca.model.messages import WorkerJoined
from attacca.model.resources import Resources
from attacca.model.sandbox import Capacity
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
