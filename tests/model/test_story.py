"""Stories are short, are about one subject, and end somewhere."""

from attacca.model.invocation import Failed, FunctionError, Invocation, Ok, Request, Start, Timing
from attacca.model.messages import Dispatch, Started
from attacca.model.story import ABOUT_MOST, MOMENTS_MOST, Moment, Recent, about, is_named, outcome, what

STARTED = Started("i1", "s1", Start.COLD, "first", Timing(queued=2.0), "came first")


def test_what_names_it_or_a_later_attempt_of_it_is_about_it() -> None:
    again = Started("i1~2", "s2", Start.WARM, "", Timing())
    assert [is_named(fact, "i1") for fact in (STARTED, again, None, ("Arrived", "i1", "", "f"))] == [
        True,
        True,
        False,
        True,
    ]
    assert [is_named(fact, "s1") for fact in (STARTED, again, ("RunEnded", "i9", "s1"))] == [True, False, True]
    assert not is_named(STARTED, "i")
    assert is_named(Dispatch(Invocation("i1", "f", "f@1", Request())), "i1")


def test_a_fact_is_told_in_a_line() -> None:
    assert (what(STARTED), about(STARTED)) == (
        "handed to a sandbox",
        "id i1, sandbox s1, start cold, why first, queued 2.000 ms, turn came first",
    )
    fact = ("RunEnded", "i1", "s1", 2.5, "ok")
    assert (what(fact), about(fact)) == ("has run", "s1, 2.500 ms, ok")
    assert what(("Tick", "", "")) == "Tick"


def test_a_part_in_which_no_time_went_is_left_out() -> None:
    assert about(Started("i1", "s1", Start.WARM, "a slot was free", Timing(), "its turn")) == (
        "id i1, sandbox s1, start warm, why a slot was free, turn its turn"
    )


def test_outcomes_are_told_in_a_line() -> None:
    assert outcome(Ok(b"secret")) == "ok"
    assert outcome(FunctionError("ValueError", "no", "a traceback")) == "ValueError: no"
    assert outcome(Failed("timeout", "x" * 9999)) == f"timeout: {'x' * ABOUT_MOST}"


def test_the_oldest_is_forgotten_and_a_long_story_is_cut() -> None:
    recent = Recent(3)
    for number in range(5):
        recent.entries.append((float(number), ("Arrived", f"i{number % 2}", "", "x" * 999), ()))
    assert repr(recent) == "<Recent 3 of 3 events>"
    told = recent.tell("i0", "here", 100.0)
    assert told == tuple(Moment(at, "here", "arrived at the gateway", "x" * ABOUT_MOST) for at in (102.0, 104.0))
    long = Recent()
    for number in range(2 * MOMENTS_MOST):
        long.entries.append((float(number), ("Arrived", "i", ""), ()))
    assert len(long.tell("i", "here", 0.0)) == MOMENTS_MOST
