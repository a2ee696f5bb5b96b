"""What becomes of calls when gateways, functions and attempts end."""

import pytest

from attacca.gateway.core.async_calls.events import Posted
from attacca.gateway.core.events import Drain
from attacca.io.journal.memory import Book
from attacca.model.async_call import Delete, Posting, Revive
from attacca.model.function import AsyncSettings
from attacca.model.invocation import Failed, Ok
from attacca.model.messages import Catalogue
from tests.gateway.core.async_calls.stage import BAD, GOOD, Crash, Stage, Wall, keyed
from tests.gateway.play import revision


def test_a_dead_one_is_revived_by_whoever_claims_it() -> None:
    stage = Stage(revision("f", async_=AsyncSettings(retries=0)))
    stage.behave = lambda _, run: BAD if run == 1 else GOOD
    stage.ask("a")
    stage.go(1)
    assert stage.state("a") == "dead"
    stage.journal.write(Revive("a", stage.clock.wall()), lambda _: None)
    stage.go(5)
    assert stage.state("a") == "done"
    stage.journal.write(Delete("a"), lambda _: None)
    assert "a" not in stage.book.records


def test_a_function_that_is_gone_is_the_end_of_its_calls() -> None:
    stage = Stage()
    stage.behave = lambda _, __: Failed("not_found", "no function is called 'f'")
    stage.ask("a")
    stage.functions.learn(Catalogue(2, ()))
    stage.go(1)
    assert stage.state("a") == "dead"


def test_nothing_is_claimed_before_the_functions_are_known() -> None:
    stage = Stage()
    stage.behave = lambda _, __: None
    stage.ask("a")
    stage.go(1)
    second = Stage(book=stage.book, clock=stage.clock)
    known, second.functions.generation = second.functions.generation, None
    second.go(20)
    assert second.core.books.pending == {}
    second.functions.generation = known
    second.go(2)
    assert (stage.state("a"), second.runs["a"]) == ("done", 1)


def script(stage: Stage) -> None:
    """What a day brings: calls that fail at first, callbacks, keys, more than may run at once."""
    stage.behave = lambda name, run: BAD if run == 1 and name in "bd" else GOOD
    stage.post = lambda call, count: Posted(call, "" if count > 1 else "it answered 500")
    for name in "abcd":
        stage.ask(name, callback="https://x.example/" if name in "cd" else "")
        stage.go(0.01)
    stage.ask("key", **keyed("k"))
    stage.go(9)


FUNCTION = revision("f", async_=AsyncSettings(at_once=2, backoff_s=0.5))


@pytest.mark.long
def test_a_crash_between_any_two_steps_loses_nothing_that_was_accepted() -> None:
    crashes = 0
    while True:
        first = Stage(FUNCTION)
        first.crash_at = crashes
        try:
            script(first)
        except Crash:
            pass
        else:
            break
        crashes += 1
        accepted = [said[1] for said in first.said if said[0] == "accepted"]
        second = Stage(FUNCTION, book=first.book, clock=first.clock)
        second.behave = first.behave
        second.go(12)
        for name in accepted:
            record = first.book.records[name]
            assert record.call.state.value == "done", f"{name} after {crashes}"
            assert record.call.posting is (Posting.DONE if name in "cd" else Posting.NONE), f"{name} after {crashes}"
            assert first.runs[name] + second.runs[name] >= 1
            told_of = ("settled", name)
            assert told_of not in first.said or second.runs[name] == 0, f"{name} was over, and ran again"
        assert all(not record.call.is_open for record in first.book.records.values()), f"after {crashes}"
        assert first.runs["key"] + second.runs["key"] <= 1
    assert crashes > 60


def test_one_that_slept_through_its_lease_changes_nothing() -> None:
    clock, book = Wall(100.0), Book()
    first = Stage(FUNCTION, book=book, clock=clock)
    first.behave = lambda _, __: None
    first.ask("a")
    first.turn()
    second = Stage(FUNCTION, book=book, clock=clock)
    clock.time += 10  # the first says nothing
    second.behave = lambda _, __: BAD
    second.go(0)
    second.go(2)
    assert second.runs["a"] >= 1
    before = book.records["a"]
    first.end("a", Ok(b"late"))
    first.turn()
    assert book.records["a"] == before
    assert first.core.books.pending == {}


def test_draining_begins_nothing_and_leaves_the_rest_to_others() -> None:
    stage = Stage(FUNCTION)
    stage.behave = lambda _, __: None
    for name in "abc":
        stage.ask(name)
    stage.go(1)
    stage.feed(Drain())
    stage.ask("d")
    assert stage.said[-1] == ("rejected", "draining")
    stage.end("a", GOOD)
    stage.end("b", Failed("draining", "the server is shutting down"))
    stage.go(5)
    assert (stage.state("a"), stage.state("b"), stage.state("c")) == ("done", "waiting", "waiting")
    assert stage.running == {}
    second = Stage(FUNCTION, book=stage.book, clock=stage.clock)
    second.go(20)
    assert (stage.state("b"), stage.state("c")) == ("done", "done")
    assert stage.book.records["b"].call.attempts == 1, "what was cut off was no attempt"
