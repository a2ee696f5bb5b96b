"""Requests with a key: the first is run, and the others have its answer."""

import pytest

from attacca.model.invocation import Failed
from tests.gateway.core.async_calls.stage import BAD, BUSY, GOOD, Stage, keyed
from tests.gateway.play import revision


def test_a_key_gets_the_answer_of_the_first() -> None:
    stage = Stage()
    stage.ask("a", **keyed("k"))
    stage.turn()
    stage.ask("b", **keyed("k"))
    stage.turn()
    stage.ask("c", **keyed("k", "another request"))
    stage.turn()
    answered = ("answered", "a", GOOD), ("settled", "a"), ("answered again", "a", GOOD), ("rejected", "key_reused")
    assert tuple(stage.said) == answered
    assert stage.runs == {"a": 1}


def test_a_key_in_use_is_a_conflict() -> None:
    stage = Stage()
    stage.behave = lambda _, __: None
    stage.ask("a", **keyed("k"))
    stage.turn()
    stage.ask("b", **keyed("k"))
    stage.turn()
    assert stage.said == [("rejected", "conflict")]
    stage.end("a", BAD)
    stage.turn()
    assert stage.said[1] == ("answered", "a", BAD), "it is not tried again: its client waits"
    assert stage.state("a") == "done"


def test_what_never_ran_leaves_its_key_free() -> None:
    stage = Stage()
    stage.behave = lambda name, _: BUSY if name == "a" else GOOD
    stage.ask("a", **keyed("k"))
    stage.turn()
    assert stage.said[0] == ("answered", "a", BUSY)
    stage.ask("b", **keyed("k"))
    stage.turn()
    assert ("answered", "b", GOOD) in stage.said


def test_the_key_of_a_call_names_the_first() -> None:
    stage = Stage()
    stage.ask("a", key="k", fingerprint="1")
    stage.ask("b", key="k", fingerprint="1")
    stage.go(1)
    assert [said for said in stage.said if said[0] != "settled"] == [("accepted", "a"), ("again", "a")]
    assert stage.runs == {"a": 1}


@pytest.mark.parametrize("idempotent", [False, True])
def test_a_keyed_request_is_not_run_again_by_itself(idempotent: bool) -> None:  # noqa: FBT001
    """Its gateway died while it ran: only the function can say whether it may run twice."""
    first = Stage(revision("f", idempotent=idempotent))
    first.behave = lambda _, __: None
    first.ask("a", **keyed("k"))
    first.turn()
    second = Stage(revision("f", idempotent=idempotent), book=first.book, clock=first.clock)
    second.go(10)
    second.ask("b", **keyed("k"))
    second.go(1)
    if idempotent:
        assert second.said[-2:] == [("answered", "b", GOOD), ("settled", "b")]
    else:
        (said,) = [said for said in second.said if said[0] == "answered again"]
        assert isinstance(said[2], Failed)
        assert said[2].code == "sandbox_lost"
        assert second.runs == {}
