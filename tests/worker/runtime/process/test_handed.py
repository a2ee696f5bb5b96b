"""What lies in a sandbox's pipe ahead of its turn: whoever reads it has it, the sandbox or its worker."""

import os
from collections.abc import Iterator

import pytest

from attacca.guest import channel as wire
from attacca.kernel.budget import Budget
from attacca.model.invocation import Invocation, Ok, Request
from attacca.worker.core.events import Hand, TakeBack
from attacca.worker.core.reports import RunEnded, TakenBack
from attacca.worker.runtime.process.handed import MOST
from tests.fuzz.doors.frames import ALONE, MANY, Story
from tests.fuzz.framing import LARGEST, frame, head
from tests.fuzz.warped import Warped, descriptors, left_open


class Play(Story):
    """It runs i1, and what it is to be handed is called a, b, c."""

    def __init__(self, loop: Warped, kind: bytes = ALONE) -> None:
        super().__init__(loop, Budget(4 * LARGEST, 2 * LARGEST), kind)
        os.set_blocking(self.far_reader, False)

    def read(self) -> list[int]:
        """As its sandbox does, once: the numbers of what it has then."""
        try:
            data = os.read(self.far_reader, 65_536)
        except BlockingIOError:
            return []
        found = []
        while data:
            size, _, number = wire.HEAD.unpack_from(data)
            found.append(number)
            data = data[9 + size :]
        return found

    def hand(self, name: str, body: bytes = b"") -> None:
        self.sandbox.tell(Hand("s", self.sandbox.revision, invocation(name, body)))

    def take_back(self) -> tuple[str, ...]:
        self.sandbox.tell(TakeBack("s"))
        self.loop.turns(2)
        return tuple(name for one in self.reports if isinstance(one, TakenBack) for name in one.invocations)

    def answer(self, number: int) -> None:
        os.write(self.far_writer, frame(wire.RESULT, number, head(b"", [], b"")))
        self._calm()

    @property
    def ended(self) -> list[str]:
        return [one.invocation for one in self.reports if isinstance(one, RunEnded)]


def invocation(name: str, body: bytes = b"") -> Invocation:
    return Invocation(name, "f", "f@1", Request(body))


@pytest.fixture
def play() -> Iterator[Play]:
    before = descriptors()
    loop = Warped()
    story = Play(loop)
    assert story.read() == [0, 1]  # GO, and i1
    story.answer(1)
    story.sandbox.run(invocation("now"))  # from now on it is known that it has read all before
    yield story
    story._end()
    loop.raise_trouble()
    loop.close()
    assert left_open(before, loop) == []


def test_each_read_brings_one(play: Play) -> None:
    play.hand("a")
    play.hand("b")
    assert [play.read(), play.read(), play.read(), play.read()] == [[2], [3], [4], []]


def test_what_is_next_begins_when_what_ran_has_ended(play: Play) -> None:
    play.hand("a")
    play.answer(2)
    play.sandbox.run(invocation("a"))  # as its worker says later
    assert [play.read(), play.read(), play.read()] == [[2], [3], []], "it was sent twice"
    play.answer(3)
    assert play.ended == ["i1", "now", "a"]
    assert play.process.killed_for == ""


def test_an_answer_before_its_turn_is_the_end_of_it(play: Play) -> None:
    play.hand("a")
    play.answer(3)
    assert play.process.killed_for


def test_what_it_has_not_read_is_taken_back_and_the_rest_stays(play: Play) -> None:
    play.hand("a")
    play.sandbox.leave("now")
    play.sandbox.stop("now")
    play.hand("b")
    assert play.take_back() == ("a", "b")
    assert [play.read(), play.read(), play.read()] == [[2], [2], []], "what runs, and what was said of it"
    play.answer(2)
    assert play.ended == ["i1", "now"]


def test_what_it_has_read_it_has(play: Play) -> None:
    play.hand("a")
    play.hand("b")
    assert [play.read(), play.read()] == [[2], [3]]
    assert play.take_back() == ("b",)
    play.answer(2)
    play.answer(3)
    assert play.ended == ["i1", "now", "a"]


def test_what_was_taken_back_may_be_run_after_all(play: Play) -> None:
    play.hand("a")
    assert play.take_back() == ("a",)
    assert play.read() == [2]
    play.answer(2)
    play.sandbox.run(invocation("a"))
    assert play.read() == [4]
    play.answer(4)
    assert play.ended == ["i1", "now", "a"]


def test_what_is_too_long_for_a_packet_waits_here_and_what_comes_behind_it_too(play: Play) -> None:
    play.hand("a", b"x" * MOST)
    play.hand("b")
    assert repr(play.sandbox._handed) == "<Handed 0 sent, 2 kept>"
    assert [play.read(), play.read()] == [[2], []]
    play.answer(2)
    play.sandbox.run(invocation("a", b"x" * MOST))
    assert play.read() == [5]
    assert play.take_back() == ("b",)


def test_behind_a_long_frame_nothing_is_sent_ahead(play: Play) -> None:
    """A read might bring the end of the one and the other."""
    play.answer(2)
    play.read()
    play.sandbox.run(invocation("long", b"x" * MOST))
    play.hand("a")
    assert [play.read(), play.read()] == [[3], []]
    play.answer(3)
    play.sandbox.run(invocation("a"))
    play.hand("b")
    assert [play.read(), play.read()] == [[5], [6]]


def test_a_sandbox_that_heard_of_it_too_early_gives_it_back(play: Play) -> None:
    play.hand("a")
    os.write(play.far_writer, frame(wire.BOUNCED, 3, b""))
    play._calm()
    assert play.reports[-1] == TakenBack("s", ("a",), by_itself=True)
    play.answer(2)
    assert play.ended == ["i1", "now"]


@pytest.mark.parametrize("number", [2, 3, 99])
def test_what_it_was_not_handed_it_cannot_give_back(play: Play, number: int) -> None:
    os.write(play.far_writer, frame(wire.BOUNCED, number, b""))
    play._calm()
    assert play.process.killed_for


def test_its_end_says_what_it_had_not_begun(play: Play) -> None:
    play.hand("a")
    play.hand("b")
    play.hand("c", b"x" * MOST)
    assert [play.read(), play.read()] == [[2], [3]]
    play.sandbox.close()
    assert play.sandbox.not_begun == ("b", "c")


def test_its_last_words_are_heard_first(play: Play) -> None:
    play.hand("a")
    play.hand("b")
    assert [play.read(), play.read()] == [[2], [3]]
    os.write(play.far_writer, frame(wire.RESULT, 2, head(b"", [], b"")))
    play.sandbox.close()
    assert play.ended == ["i1", "now"]
    assert play.sandbox.not_begun == ("b",)


def test_who_runs_several_is_handed_nothing() -> None:
    loop = Warped()
    story = Play(loop, MANY)
    story.hand("a")
    assert story.sandbox._handed is None
    assert story.take_back() == ()
    story._end()
    loop.close()


def test_outcomes_are_those_of_what_ran(play: Play) -> None:
    play.hand("a")
    play.answer(2)
    play.answer(3)
    assert [one.outcome for one in play.reports if isinstance(one, RunEnded)] == [Ok(b"", "", 200)] * 3
