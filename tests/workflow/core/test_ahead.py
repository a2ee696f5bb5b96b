"""Instances that are quick have events ahead of time; nobody can tell but by the clock."""

import pytest

from attacca.worker.core.mailboxes import AHEAD_EACH, AHEAD_MOST
from tests.workflow.core.stage import Node, Stage, function, sends


def deaf(node: Node, instance: str, kind: str, data: bytes) -> None: ...


def staged(run_ms: float) -> tuple[Stage, Node, str, str]:
    """One function that sends to another, both on one node; the ids of their instances."""
    stage = Stage(deaf)
    node = stage.nodes["n1"]
    node.run_ms = run_ms
    workflow = stage.start(function("a", to="b"), function("b"))
    return stage, node, stage.at(workflow, "a")[0], stage.at(workflow, "b")[0]


def cast(node: Node, instance: str, *data: bytes) -> None:
    for one in data:
        sends(node, instance, "to", one)


def heard(node: Node) -> list[bytes]:
    return [data for _, kind, data in node.handled if kind == "cast"]


def given(node: Node, instance: str) -> int:
    return len(node.core.instances.by_id[instance].given)


@pytest.mark.parametrize(("run_ms", "many"), [(0.5, 4), (1.0, 1), (50.0, 1)])
def test_one_that_is_quick_with_an_event_is_given_those_that_wait(run_ms: float, many: int) -> None:
    stage, node, a, b = staged(run_ms)
    cast(node, a, b"1", b"2", b"3", b"4", b"5")
    assert given(node, b) == 1, "nothing is known of it yet"
    stage.play(run_ms * 1.5 / 1e3)
    assert given(node, b) == many
    stage.play(1.0)
    assert heard(node) == [b"1", b"2", b"3", b"4", b"5"]


def test_what_is_large_or_too_much_waits_in_its_mailbox() -> None:
    stage, node, a, b = staged(0.5)
    cast(node, a, b"1", b"2", b"x" * (AHEAD_EACH + 1))
    stage.play(0.0007)
    assert given(node, b) == 1
    stage.play(1.0)
    cast(node, a, *[b"%d" % number for number in range(3 * AHEAD_MOST)])
    stage.play(0.0007)
    assert given(node, b) == AHEAD_MOST
    stage.play(1.0)
    assert len(heard(node)) == 3 + 3 * AHEAD_MOST


def test_of_those_that_one_had_when_it_died_the_first_is_lost_and_the_others_go_to_who_follows() -> None:
    stage, node, a, b = staged(0.5)
    cast(node, a, b"1", b"2", b"3", b"4")
    stage.play(0.0007)  # the second is being handled
    node.machine.crash(b)
    stage.play(5.0)
    assert heard(node) == [b"1", b"2", b"3", b"4"], "the second was begun, and never ended"
    after = [instance for instance, kind, data in node.handled if kind == "cast"]
    assert after[:2] == [b, b]
    assert b not in after[2:]


def test_what_it_was_given_is_handled_before_it_stops() -> None:
    stage, node, a, b = staged(0.5)
    cast(node, a, b"1", b"2", b"3")
    stage.play(0.0007)
    stage.stop(b.partition(".")[0])
    assert [(kind, data) for instance, kind, data in node.handled if instance == b][1:] == [
        *(("cast", data) for data in (b"1", b"2", b"3")),
        ("stop", b""),
    ]
