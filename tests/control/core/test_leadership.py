"""Who leads: the machine alone, and several of them over a store that is slow, lies down, or cannot be reached."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.control.core.events import Tick
from attacca.control.core.leadership import (
    AskLease,
    Denied,
    Drained,
    Event,
    GiveBack,
    Granted,
    Lead,
    LeadershipCore,
    LeadershipStage,
    Open,
    Opened,
    OpenFailed,
    Resigned,
    StepDown,
    Unanswered,
)

LEASE_S = 10.0
UNTIL_S = 8.0  # it is counted on for so long


def leading(core: LeadershipCore) -> LeadershipCore:
    assert core.handle(0.0, Tick()) == [AskLease(1)]
    assert core.handle(1.0, Granted(1, fence=7)) == [Open(7)]
    assert core.handle(1.5, Opened(7, term=3)) == [Lead(3)]
    return core


def test_whoever_has_the_lease_opens_and_then_leads() -> None:
    core = leading(LeadershipCore(LEASE_S))
    assert core.stage is LeadershipStage.LEADING
    assert repr(core) == "<LeadershipCore leading: term 3, fence 7, 1 asked>"


def test_whoever_does_not_get_it_asks_again_and_again() -> None:
    core = LeadershipCore(LEASE_S)
    assert core.handle(0.0, Tick()) == [AskLease(1)]
    assert core.handle(0.5, Denied(1)) == []
    assert core.alarm.at == 1.0
    assert core.handle(1.0, Tick()) == [AskLease(2)]
    assert core.handle(1.1, Unanswered(2, "it is away")) == []
    assert core.handle(2.0, Tick()) == [AskLease(3)]


def test_it_is_renewed_long_before_it_ends() -> None:
    core = leading(LeadershipCore(LEASE_S))
    assert core.alarm.at == 2.0
    assert core.handle(2.0, Tick()) == [AskLease(2)]
    assert core.handle(2.5, Granted(2, fence=7)) == []
    assert core.held_until == 2.0 + UNTIL_S


def test_it_is_counted_from_when_it_was_asked_for_and_not_from_when_it_was_granted() -> None:
    core = LeadershipCore(LEASE_S)
    core.handle(0.0, Tick())
    core.handle(7.9, Granted(1, fence=7))
    assert core.held_until == UNTIL_S
    late = LeadershipCore(LEASE_S)
    late.handle(0.0, Tick())
    assert late.handle(8.0, Granted(1, fence=7)) == [AskLease(2)], "too late to be of use"
    assert late.stage is LeadershipStage.FOLLOWING


def test_an_isolated_leader_steps_down_before_the_lease_ends() -> None:
    core = leading(LeadershipCore(LEASE_S))
    core.handle(2.0, Tick())
    core.handle(5.0, Unanswered(2, "it is away"))
    core.handle(5.0, Tick())
    assert core.alarm.at == UNTIL_S
    (down,) = core.handle(UNTIL_S, Tick())
    assert isinstance(down, StepDown)
    assert "cannot be reached" in down.why


def test_a_leader_that_was_stopped_steps_down_with_the_first_thing_it_hears() -> None:
    core = leading(LeadershipCore(LEASE_S))
    core.handle(2.0, Tick())
    commands = core.handle(99.0, Granted(2, fence=7))
    assert isinstance(commands[0], StepDown)
    assert core.stage is LeadershipStage.FOLLOWING


def test_another_has_it() -> None:
    core = leading(LeadershipCore(LEASE_S))
    core.handle(2.0, Tick())
    (down,) = core.handle(2.1, Denied(2))
    assert down == StepDown("another control has the lease")


def test_a_lease_with_another_fence_is_another_lease() -> None:
    core = leading(LeadershipCore(LEASE_S))
    core.handle(2.0, Tick())
    down, opened = core.handle(2.1, Granted(2, fence=9))
    assert isinstance(down, StepDown)
    assert opened == Open(9)


def test_a_fence_is_led_by_once() -> None:
    core = leading(LeadershipCore(LEASE_S))
    core.handle(2.0, Tick())
    core.handle(2.5, Unanswered(2, "it is away"))
    core.handle(UNTIL_S, Tick())
    assert core.stage is LeadershipStage.FOLLOWING
    core.handle(UNTIL_S, Unanswered(3, "it is away"))
    core.handle(9.0, Tick())
    assert core.handle(9.1, Granted(4, fence=7)) == [GiveBack(7)], "the store still had it for ours"
    core.handle(10.0, Tick())
    assert core.handle(10.1, Granted(5, fence=8)) == [Open(8)]


def test_what_was_opened_under_an_older_lease_is_nobodys() -> None:
    core = LeadershipCore(LEASE_S)
    core.handle(0.0, Tick())
    core.handle(1.0, Granted(1, fence=7))
    core.handle(2.0, Tick())
    core.handle(2.1, Granted(2, fence=9))
    assert core.handle(2.2, Opened(7, term=3)) == []
    assert core.handle(2.3, Opened(9, term=4)) == [Lead(4)]


@pytest.mark.parametrize("event", [OpenFailed(7, "it is broken"), Resigned("it is broken")])
def test_whoever_cannot_go_on_lets_others_try_first(event: Event) -> None:
    core = LeadershipCore(LEASE_S)
    core.handle(0.0, Tick())
    core.handle(1.0, Granted(1, fence=7))
    assert core.handle(1.5, event) == [StepDown("it is broken"), GiveBack(7)]
    assert core.alarm.at == 1.5 + LEASE_S


def test_whoever_ends_gives_it_back() -> None:
    core = leading(LeadershipCore(LEASE_S))
    assert core.handle(2.0, Drained()) == [StepDown("this control ends"), GiveBack(7)]
    assert core.handle(9.0, Tick()) == []
    assert core.alarm.at == inf
    idle = LeadershipCore(LEASE_S)
    assert idle.handle(0.0, Drained()) == []


def test_answers_that_nobody_waits_for_change_nothing() -> None:
    core = leading(LeadershipCore(LEASE_S))
    for event in (Denied(1), Granted(5, 9), Opened(7, 9), OpenFailed(7, "")):
        assert core.handle(1.6, event) == []
    assert core.term == 3


class Play:
    """Several controls, a lease in a store of true time, and clocks of their own that begin anywhere."""

    def __init__(self, offsets: list[int]) -> None:
        self.cores = [LeadershipCore(LEASE_S) for _ in offsets]
        self.offsets = offsets
        self.now = 0.0
        self.holder: int | None = None
        self.until = 0.0
        self.fence = self.term = 0
        self.asked: list[tuple[int, int]] = []
        self.answers: list[tuple[int, Granted | Denied]] = []  # on their way
        self.opening: list[tuple[int, int]] = []
        self.terms: list[int] = []
        self.leaders: set[int] = set()

    def feed(self, who: int, event: Event) -> None:
        for command in self.cores[who].handle(self.now + self.offsets[who], event):
            match command:
                case AskLease():
                    self.asked.append((who, command.id))
                case Open():
                    self.opening.append((who, command.fence))
                case Lead():
                    self.leaders.add(who)
                    self.terms.append(command.term)
                case StepDown():
                    self.leaders.discard(who)
                    self.opening = [one for one in self.opening if one[0] != who]
                case GiveBack():
                    if self.holder == who and self.fence == command.fence:
                        self.holder = None

    def decide(self, index: int) -> None:
        who, id_ = self.asked.pop(index % len(self.asked))
        if self.holder is None or self.now >= self.until:
            self.holder, self.fence, self.until = who, self.fence + 1, self.now + LEASE_S
        elif self.holder == who:
            self.until = self.now + LEASE_S
        self.answers.append((who, Granted(id_, self.fence) if self.holder == who else Denied(id_)))

    def answer(self, index: int, *, lost: bool) -> None:
        who, answer = self.answers.pop(index % len(self.answers))
        self.feed(who, Unanswered(answer.id, "") if lost else answer)

    def opened(self) -> None:
        who, fence = self.opening.pop(0)
        if fence == self.fence and self.holder == who and self.now < self.until:  # the write goes by the lease
            self.term += 1
            self.feed(who, Opened(fence, self.term))
        else:
            self.feed(who, OpenFailed(fence, "the lease is lost"))

    def pass_time(self, seconds: int) -> None:
        """Timers ring in time, also those that ring while others do."""
        end = self.now + seconds
        while True:
            due = [
                (at - offset, who)
                for who, (core, offset) in enumerate(zip(self.cores, self.offsets, strict=True))
                if (at := core.alarm.at) - offset <= end
            ]
            if not due:
                break
            at, who = min(due)
            self.now = max(self.now, at)
            self.feed(who, Tick())
        self.now = end


STEPS = st.lists(st.tuples(st.sampled_from("tttddaalor"), st.integers(0, 6)), max_size=80)


@pytest.mark.long
@given(st.lists(st.integers(-3600, 3600), min_size=2, max_size=3), STEPS)
def test_there_is_never_more_than_one_leader(offsets: list[int], steps: list[tuple[str, int]]) -> None:
    """Whatever gets lost or late; a clock that is wrong by an hour is only one that began elsewhere."""
    play = Play(offsets)
    for who in range(len(offsets)):
        play.feed(who, Tick())
    for kind, number in steps:
        match kind:
            case "t":
                play.pass_time(number)
            case "d" if play.asked:
                play.decide(number)
            case "a" | "l" if play.answers:
                play.answer(number, lost=kind == "l")
            case "o" if play.opening:
                play.opened()
            case "r":
                play.feed(number % len(offsets), Resigned("told to"))
            case _:
                pass
        assert len(play.leaders) <= 1
        for who in play.leaders:
            assert play.holder == who
            assert play.now < play.until
    assert play.terms == sorted(set(play.terms)), "a term came back"
