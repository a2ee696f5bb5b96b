"""What a domain leaves is kept before anybody begins with it, however often the store refuses."""

import msgspec

from attacca.errors import StateUnavailable
from attacca.federation.core.events import Event, MigrateAsked, Record, StopAsked
from attacca.federation.core.hosted import LEFT, WORKFLOWS
from attacca.model.federation import Left, LeftKept, StateCopied, StateTaken, WorkflowEnded
from tests.federation.core.test_federation import Domain, Stage, view

GONE = StateUnavailable("the disk is full")
KEPT = Left("log", 1, 1, b"kept")


class Hearing(Domain):
    """Remembers what it was told of what it had left."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.heard: list[LeftKept | StateTaken] = []

    def told(self, message: object) -> list[Event]:
        if isinstance(message, LeftKept | StateTaken):
            self.heard.append(message)
        return super().told(message)


def moving() -> tuple[Stage, str, Hearing]:
    """Out of a, where the store refuses what that has left."""
    first = Hearing("a")
    stage = Stage(first, Domain("b"))
    name = stage.start("moving")
    stage.fails = GONE
    stage.feed(MigrateAsked("move", name, ("b",)))
    return stage, name, first


def kept(stage: Stage, name: str) -> Left:
    return msgspec.json.decode(stage.stored[f"{LEFT}{name}/log"], type=Left)


def test_it_waits_until_the_store_takes_it_and_says_so() -> None:
    stage, name, first = moving()
    stage.wait(3.0)
    assert (stage.where(name), first.heard) == ([], []), "who has it still is not told to forget it"
    told = stage.core.view(name)
    assert (told.stage, told.why) == (
        "parked", "moved from a; what it left there cannot be kept: the disk is full",
    )  # fmt: skip
    stage.feed(WorkflowEnded("a", name, 1, (KEPT,)))
    assert first.heard == [], "also when it asks again"
    stage.fails = None
    stage.wait(2.0)
    assert (first.heard, kept(stage, name)) == ([LeftKept(name, 1)], KEPT)
    assert (view(stage, "move").domain, stage.domains["b"].has[name]) == ("b", (2, (KEPT,)))


def test_a_federation_that_begins_anew_meanwhile_hears_of_it_again() -> None:
    stage, name, first = moving()
    stage.fails = None
    stage.restart()
    joined = first.joined()
    stage.feed(msgspec.structs.replace(joined, ended=(WorkflowEnded("a", name, 1, (KEPT,)),)))
    stage.join("b")
    stage.wait(1.0)
    (where,) = stage.where(name)
    assert stage.domains[where].has[name] == (2, (KEPT,))
    assert first.heard[0] == LeftKept(name, 1)


def test_what_is_stopped_meanwhile_is_kept_no_more() -> None:
    stage, name, first = moving()
    stage.feed(StopAsked("stop", name))
    assert (stage.core.workflows, first.heard) == ({}, [LeftKept(name, 1)])
    stage.fails = None
    stage.wait(3.0)
    assert stage.stored == {}, "it does not come back after a restart"


def test_who_is_told_to_end_does_not_come_back_with_an_older_state_after_a_restart() -> None:
    """The word of its end was lost with the federation that had asked for it."""
    first = Hearing("a")
    stage = Stage(first)
    name = stage.start("ending")
    stage.feed(StateCopied("a", name, 1, Left("log", 1, 7, b"of before")))
    stage.fails = GONE
    stage.feed(StopAsked("stop", name))
    assert stage.where(name) == ["a"], "not before that is durable"
    stage.fails = None
    first.is_here = False  # so that it hears nothing
    stage.wait(1.5)
    record = msgspec.json.decode(stage.stored[f"{WORKFLOWS}{name}"], type=Record)
    assert record.ends
    del first.has[name]  # it had heard
    stage.restart()
    stage.join("a")
    stage.wait(1.0)
    assert (stage.core.workflows, stage.stored, first.begun) == ({}, {}, [name])


def test_a_newer_copy_takes_the_place_of_one_that_could_not_be_kept() -> None:
    first = Hearing("a")
    stage = Stage(first)
    name = stage.start("copied")
    stage.fails = GONE
    stage.feed(StateCopied("a", name, 1, Left("log", 1, 7, b"seven")))
    assert first.heard == []
    stage.wait(2.0)
    stage.feed(StateCopied("a", name, 1, Left("log", 1, 8, b"eight")))
    assert first.heard == [StateTaken(name, "log", 7)], "it is not wanted any more"
    stage.fails = None
    stage.wait(2.0)
    assert (first.heard[1:], kept(stage, name).state) == ([StateTaken(name, "log", 8)], b"eight")
    assert stage.core.workflows[name].writing == {}
