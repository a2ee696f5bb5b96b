"""Of each template some machines wait, as far as memory goes, and the oldest is taken first."""

from types import SimpleNamespace
from typing import Any

from attacca.worker.runtime.microvm.options import MicroVmOptions
from attacca.worker.runtime.microvm.spares import Spares
from tests.worker.stage import revision


def machine(name: str, memory_mb: int = 64) -> Any:
    one = SimpleNamespace(name=name, revision=revision("f", memory_mb=memory_mb), is_doomed=False, why="")

    def kill(why: str) -> None:
        one.is_doomed, one.why = True, why

    one.kill = kill
    return one


def pool(**options: Any) -> Spares:
    return Spares(MicroVmOptions(**options), lambda name, parent: machine(name, parent.revision.settings.memory_mb))


def names(spares: Spares, template: str) -> list[str]:
    found = []
    while (one := spares.take(template)) is not None:
        found.append(one.name)
    return found


def test_as_many_wait_as_are_to_and_the_oldest_is_taken() -> None:
    spares, template = pool(pool=2), machine("t1")
    spares.fill(template)
    spares.fill(template)
    assert repr(spares) == "<Spares 2 machines of 128 MB>"
    first = spares.take("t1")
    assert first is not None
    assert first.name == "t1-spare-1"
    spares.fill(template)
    assert names(spares, "t1") == ["t1-spare-2", "t1-spare-3"]
    assert (spares.take("t1"), spares.take("t2"), repr(spares)) == (None, None, "<Spares 0 machines of 0 MB>")


def test_none_waits_unless_it_is_asked_for_nor_beyond_the_memory() -> None:
    plain, template = pool(), machine("t1")
    plain.fill(template)
    assert names(plain, "t1") == []
    narrow = pool(pool=3, pool_mb=130)
    narrow.fill(template)
    narrow.fill(machine("t2"))
    assert (names(narrow, "t1"), names(narrow, "t2")) == (["t1-spare-1", "t1-spare-2"], [])


def test_one_that_has_ended_is_not_taken_and_all_go_with_their_template() -> None:
    spares, template = pool(pool=3), machine("t1")
    spares.fill(template)
    dead, *others = spares._of["t1"]
    dead.kill("it fell over")
    taken = spares.take("t1")
    assert taken is others[0]
    spares.forget(others[1])
    template.kill("dropped")
    spares.fill(template)
    assert repr(spares) == "<Spares 0 machines of 0 MB>"
    spares.fill(living := machine("t2"))
    waiting: list[Any] = list(spares._of["t2"])
    spares.drop("t2")
    assert {one.why for one in waiting} == {"its template was dropped"}
    assert (living.is_doomed, repr(spares)) == (False, "<Spares 0 machines of 0 MB>")
