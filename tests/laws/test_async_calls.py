"""Asynchronous calls of several gateways on one journal, under whatever befalls them: what was accepted is made."""

from collections import Counter
from collections.abc import Callable
from math import inf
from random import Random

import pytest

from attacca.errors import StateUnavailable
from attacca.gateway.core.async_calls.events import Posted
from attacca.gateway.core.events import Drain
from attacca.io.journal.memory import Book
from attacca.model.async_call import Kind, State
from attacca.model.function import AsyncSettings, Missed
from attacca.model.invocation import Outcome
from tests.gateway.core.async_calls.stage import BAD, BUSY, GOOD, Crash, Stage, Wall
from tests.gateway.play import revision

SEEDS = 60
STEPS = 120
EVENTS = ("ask", "ask", "ask", "key", "end", "cancel", "crash", "sleep", "full", "drain", "go")
LONG_S = 3000.0  # until every pause is over
FUNCTIONS = (
    revision("f", async_=AsyncSettings(retries=3, backoff_s=0.5, at_once=3, queue=30), schedule=("*/2 * * * *",)),
    revision("g", async_=AsyncSettings(retries=0, max_age_s=900.0), schedule=("* * * * *",), missed=Missed.ONCE),
)


class Story:
    """Three gateways: any of them is asked, dies, sleeps, drains, or finds the disk full; the clock goes on."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.clock, self.book = Wall(100.0), Book()
        self.accepted: set[str] = set()
        self.runs: Counter[str] = Counter()
        self.asked = 0
        self.gateways = [self.fresh() for _ in range(3)]
        self.awake = [True] * 3

    def fresh(self) -> Stage:
        stage = Stage(*FUNCTIONS, book=self.book, clock=self.clock)
        stage.behave = self.behave
        stage.post = lambda call, _: Posted(call, "" if self.chance.random() < 0.5 else "it answered 500")
        return stage

    def behave(self, name: str, _: int) -> Outcome | None:
        self.runs[name] += 1
        return self.chance.choice((GOOD, GOOD, BAD, BUSY, None))

    def end_well(self, name: str, _: int) -> Outcome:
        self.runs[name] += 1
        return GOOD

    def step(self) -> None:
        place = self.chance.randrange(3)
        stage = self.gateways[place]
        happens = self.chance.choice(EVENTS)
        if happens in ("ask", "key"):
            self.ask(stage, is_keyed=happens == "key")
        elif happens in ("sleep", "go"):
            self.awake[place] = self.awake[place] != (happens == "sleep")
            self.pass_time(self.chance.choice((0.1, 1.0, 5.0, 200.0)))
        else:
            self.befall(stage, happens)

    def ask(self, stage: Stage, *, is_keyed: bool) -> None:
        self.asked += 1
        if is_keyed:
            key = self.chance.choice("abc")
            stage.ask(f"key-{self.asked}", "f", kind=Kind.KEYED, key=key, fingerprint=key)
        else:
            callback = "https://x.example/" if self.chance.random() < 0.3 else ""
            stage.ask(f"call-{self.asked}", self.chance.choice("fg"), callback=callback)

    def befall(self, stage: Stage, what: str) -> None:
        if what == "end":
            for name in list(stage.running)[:1]:
                stage.end(name, self.chance.choice((GOOD, BAD)))
        elif what == "cancel" and self.accepted:
            stage.cancel(self.chance.choice(sorted(self.accepted)))
        elif what == "crash":
            stage.crash_at = self.chance.randrange(6)
        elif what == "full":
            stage.journal_fails = None if stage.journal_fails else StateUnavailable("the disk is full")
        elif what == "drain" and self.chance.random() < 0.3:
            stage.feed(Drain())

    def pass_time(self, duration_s: float) -> None:
        until = self.clock.time + duration_s
        while True:
            self.turn()
            due = min(
                (one.timer.at for one, awake in zip(self.gateways, self.awake, strict=True) if awake), default=inf
            )
            if due > until:
                break
            self.clock.time = max(self.clock.time, due)
            for place, stage in enumerate(self.gateways):
                if self.awake[place] and stage.timer.at <= self.clock.time:
                    self.guarded(stage.timer.ring)
        self.clock.time = until

    def turn(self) -> None:
        for place, stage in enumerate(self.gateways):
            if self.awake[place]:
                self.guarded(stage.turn)
            self.accepted |= {str(said[1]) for said in stage.said if said[0] == "accepted"}

    def bury(self) -> None:
        """Whoever has crashed is followed by a new one."""
        for place, stage in enumerate(self.gateways):
            if stage.crash_at is not None and stage.crash_at < 0:
                self.accepted |= {str(said[1]) for said in stage.said if said[0] == "accepted"}
                self.gateways[place] = self.fresh()

    def guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Crash:
            self.bury()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_what_was_accepted_is_made_whatever_happens(seed: int) -> None:
    story = Story(seed)
    for _ in range(STEPS):
        try:
            story.step()
        except Crash:
            story.gateways = [
                story.fresh() if one.crash_at is not None and one.crash_at < 0 else one for one in story.gateways
            ]
        story.pass_time(0.01)
    last = story.fresh()
    last.behave = story.end_well
    last.post = lambda call, _: Posted(call)
    last.go(LONG_S)  # all others are gone
    over = {name: record.call for name, record in story.book.records.items()}
    assert story.accepted <= set(over), "a call was accepted, and is gone"
    for name in sorted(story.accepted):
        call = over[name]
        assert not call.is_open, f"{call} is still open"
        never_ran = call.state in (State.CANCELLED, State.DEAD)
        assert never_ran or story.runs[name] >= 1, f"{call} is done, and was never run"
    assert all(not call.is_open for call in over.values())
    due = [record.call.function for record in story.book.records.values() if record.call.kind is Kind.SCHEDULE]
    minutes = (story.clock.time - 100.0) / 60
    assert Counter(due)["f"] <= minutes / 2 + 1
    assert Counter(due)["g"] <= minutes + 1, "a due time was made twice"
    keys = [call.key for call in over.values() if call.key]
    assert len(keys) == len(set(keys))
    assert last.core.books.pending == {}
