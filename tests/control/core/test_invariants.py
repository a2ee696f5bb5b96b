"""The checks themselves are checked: each notices what was broken on purpose."""

from collections.abc import Callable

import pytest

from attacca.control.core.catalogue import CatalogueState
from attacca.control.core.change import Change, Phase, Turns
from attacca.control.core.changes import Changes
from attacca.control.core.events import Announce, Command, DeleteAsked, Reply, RollbackAsked, Stored
from attacca.control.core.garbage import Garbage
from attacca.control.core.stored import Function
from attacca.control.core.workers import Worker
from attacca.model.messages import Deleted, WorkerLeft
from attacca.model.resources import Resources
from attacca.model.sandbox import Capacity
from tests.control.stage import Stage, deploy
from tests.written import as_written

Break = Callable[[pytest.MonkeyPatch], None]


def run() -> None:
    """Two at a time of one function, two to be written at once, a rollback, a deletion, and a worker that is lost."""
    stage = Stage(Capacity(resources=Resources(1000)))
    stage.feed(deploy("1", min_sandboxes=1))
    stage.feed(deploy("2"))
    stage.feed(deploy("3", "b"))
    stage.play()
    stage.feed(RollbackAsked("4", "a"))
    stage.feed(deploy("5", "b"))
    stage.play()
    stage.feed(DeleteAsked("6", "a"))
    stage.feed(deploy("7", "a"))
    stage.play()
    stage.feed(deploy("8", "b"))
    while stage.core.changes.turns.by_id["8"].phase is not Phase.CHECKING:
        stage.end(stage.orders[0])
    stage.feed(WorkerLeft("w1"))
    assert sorted(stage.replies) == ["1", "2", "3", "4", "5", "6", "7", "8", "open"]


def take_no_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    add = Turns.add
    monkeypatch.setattr(Turns, "add", lambda turns, change: add(turns, change) or True)


def forget_whose_turn_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    end = Turns.end
    monkeypatch.setattr(Turns, "end", lambda turns, change: end(turns, change) and None)


def write_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def settle(changes: Changes, out: list[Command]) -> None:
        while changes._due:
            changes._begin(changes._due.pop(0), out)
        for change in [change for change in changes.ready if change.phase is Phase.READY]:
            changes._write(change, out)

    monkeypatch.setattr(Changes, "settle", settle)


def announce_before_it_is_durable(monkeypatch: pytest.MonkeyPatch) -> None:
    write = Changes._write

    def hasty(changes: Changes, change: Change, out: list[Command]) -> None:
        write(changes, change, out)
        assert change.after is not None
        out.insert(0, Announce(changes.catalogue.put(change.after)))

    monkeypatch.setattr(Changes, "_write", hasty)


def acknowledge_before_it_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = Changes._stored

    def hasty(changes: Changes, change: Change, event: Stored, out: list[Command]) -> None:
        stored(changes, change, event, out)
        out.sort(key=lambda command: not isinstance(command, Reply))

    monkeypatch.setattr(Changes, "_stored", hasty)


def tell_nobody_of_a_deletion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CatalogueState, "remove", lambda known, name: Deleted(known.generation, name))


def give_numbers_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CatalogueState, "reserve", lambda known, name, number: None)
    monkeypatch.setattr(CatalogueState, "next_number", lambda known, name: 1)


def remember_versions_of_what_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    erased = Changes._erased

    def forgetful(changes: Changes, change: Change, out: list[Command]) -> None:
        erased(changes, change, out)
        changes.versions[change.function] = 1

    monkeypatch.setattr(Changes, "_erased", forgetful)


def wait_for_a_worker_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Changes, "lose", lambda changes, worker, out: None)


def count_builders_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Garbage, "end_build", lambda garbage: setattr(garbage, "builders", garbage.builders - 2))


def remove_what_is_being_built_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Garbage, "begin_build", lambda garbage: None)


def never_remove_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Garbage, "move_on", lambda garbage, workers, catalogue, out: None)


def forget_who_keeps_sandboxes(monkeypatch: pytest.MonkeyPatch) -> None:
    def take(known: CatalogueState, function: Function) -> None:
        known._functions[function.name] = function

    monkeypatch.setattr(CatalogueState, "_take", take)


def grant_what_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    def share(worker: Worker, known: CatalogueState, first: str = "") -> None:
        worker.granted = dict.fromkeys(known.keeping, 1000)

    monkeypatch.setattr("attacca.control.core.workers.share", share)


BREAKS = [
    *(take_no_turns, forget_whose_turn_it_is, write_all_at_once, announce_before_it_is_durable),
    *(acknowledge_before_it_is_announced, tell_nobody_of_a_deletion, give_numbers_twice),
    *(remember_versions_of_what_is_gone, wait_for_a_worker_that_is_gone, count_builders_twice),
    *(remove_what_is_being_built_on, never_remove_anything, forget_who_keeps_sandboxes, grant_what_does_not_fit),
]


@pytest.mark.long
@as_written
@pytest.mark.parametrize("break_it", BREAKS)
def test_what_is_broken_is_noticed(break_it: Break, monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    break_it(monkeypatch)
    with pytest.raises(AssertionError):
        run()
