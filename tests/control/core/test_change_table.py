"""What each phase of a change does with each event: the whole tables. A star: it is being stopped."""

from collections.abc import Callable

import pytest

from attacca.control.core.change import Phase
from attacca.control.core.events import (
    Build,
    BuildFailed,
    Built,
    DeleteAsked,
    Drain,
    Erase,
    Erased,
    Event,
    Examine,
    Examined,
    Made,
    Put,
    ReaderLeft,
    RollbackAsked,
    ScaleAsked,
    Stored,
    StoreFailed,
    Sweep,
    Swept,
    Tick,
)
from attacca.errors import Forbidden, IllegalTransition, StateUnavailable
from attacca.model.function import Scale
from attacca.model.invocation import Failed
from attacca.model.messages import Check, Checked, WorkerLeft
from tests.control.stage import Stage, deploy, outcome
from tests.worker.stage import revision

pytestmark = pytest.mark.long  # a table of whole stories

ERROR = StateUnavailable("the disk is full")
FOUND = revision("a", handler="main:f")
EVENTS: dict[str, Event] = {
    "examined": Examined("d"),
    "forbidden": Examined("d", Forbidden("no")),
    "built": Built("d", Made("c" * 40, None), 1.0),
    "build-failed": BuildFailed("d", ERROR),
    "checked": Checked("d", FOUND),
    "check-failed": Checked("d", FOUND, Failed("bad_function", "it raises", "")),
    "stored": Stored("d", 99),
    "erased": Erased("d"),
    "store-failed": StoreFailed("d", ERROR),
    "reader-left": ReaderLeft("d"),
    "worker-left": WorkerLeft("w1"),
    "swept": Swept(),
    "tick": Tick(),
    "drain": Drain(),
}
DONE: dict[type, type] = {Put: Stored, Erase: Erased, Sweep: Swept}  # what the world itself has to do first
DEPLOYMENT = """
             waiting   examining  examining* held-off  building    building* checking     ready     writing
examined     illegal   building   cancelled  illegal   illegal     illegal   illegal      illegal   illegal
forbidden    illegal   forbidden  cancelled  illegal   illegal     illegal   illegal      illegal   illegal
built        illegal   illegal    illegal    illegal   checking    cancelled illegal      illegal   illegal
build-failed illegal   illegal    illegal    illegal   state_unavailable cancelled illegal illegal  illegal
checked      -         -          -          -         -           -         writing      -         -
check-failed -         -          -          -         -           -         bad_function -         -
stored       illegal   illegal    illegal    illegal   illegal     illegal   illegal      illegal   done:a@1
erased       illegal   illegal    illegal    illegal   illegal     illegal   illegal      illegal   illegal
store-failed illegal   illegal    illegal    illegal   illegal     illegal   illegal      illegal   state_unavailable
reader-left  cancelled examining* -          cancelled building*   -         -            -         -
worker-left  -         -          -          -         -           -         sandbox_lost -         -
swept        illegal   illegal    illegal    building  illegal     illegal   illegal      illegal   illegal
tick         -         -          -          -         -           -         -            -         -
drain        draining  examining* -          draining  building*   -         draining     draining  -
"""
ROLLBACK_AND_DELETION = """
             waiting   examining  examining* ready     writing           erasing
examined     illegal   writing    draining   illegal   illegal           illegal
forbidden    illegal   forbidden  draining   illegal   illegal           illegal
built        illegal   illegal    illegal    illegal   illegal           illegal
build-failed illegal   illegal    illegal    illegal   illegal           illegal
checked      -         -          -          -         -                 -
check-failed -         -          -          -         -                 -
stored       illegal   illegal    illegal    illegal   done:a@1          illegal
erased       illegal   illegal    illegal    illegal   illegal           done
store-failed illegal   illegal    illegal    illegal   state_unavailable state_unavailable
reader-left  -         -          -          -         -                 -
worker-left  -         -          -          -         -                 -
swept        illegal   illegal    illegal    illegal   illegal           illegal
tick         -         -          -          -         -                 -
drain        draining  examining* -          draining  -                 -
"""
RESCALING = """
             waiting   ready     writing
examined     illegal   illegal   illegal
forbidden    illegal   illegal   illegal
built        illegal   illegal   illegal
build-failed illegal   illegal   illegal
checked      -         -         -
check-failed -         -         -
stored       illegal   illegal   done:a@2
erased       illegal   illegal   illegal
store-failed illegal   illegal   state_unavailable
reader-left  -         -         -
worker-left  -         -         -
swept        illegal   illegal   illegal
tick         -         -         -
drain        draining  draining  -
"""
Reach = Callable[[str], Stage]


def rested() -> Stage:
    stage = Stage()
    stage.play()
    return stage


def twice_deployed() -> Stage:
    stage = rested()
    for id_ in ("1", "2"):
        stage.feed(deploy(id_))
        stage.play()
    return stage


def with_b_being_written(stage: Stage) -> Stage:
    stage.feed(deploy("b", "b"))
    for kind in (Examine, Build, Check):
        stage.end(stage.order(kind))
    return stage


def deployment(phase: str) -> Stage:
    if phase == "held-off":
        stage = Stage()
        stage.feed(deploy("d"))
        stage.end(stage.order(Examine))
        return stage
    stage = with_b_being_written(rested()) if phase == "ready" else rested()
    if phase == "waiting":
        stage.feed(deploy("before"))
    stage.feed(deploy("d"))
    whole = ["building", "checking", "ready", "writing"]
    steps = 0 if phase.rstrip("*") not in whole else min(whole.index(phase.rstrip("*")) + 1, 3)
    for kind in (Examine, Build, Check)[:steps]:
        stage.end(stage.order(kind))
    if phase.endswith("*"):
        stage.feed(ReaderLeft("d"))
    return stage


def rescaling(phase: str) -> Stage:
    stage = twice_deployed()
    if phase == "waiting":
        stage.feed(deploy("before"))
    if phase == "ready":
        with_b_being_written(stage)
    stage.feed(ScaleAsked("d", "a", Scale(max_sandboxes=7)))
    return stage


def rollback_or_deletion(phase: str) -> Stage:
    stage = twice_deployed()
    if phase == "waiting":
        stage.feed(deploy("before"))
    if phase == "ready":
        with_b_being_written(stage)
    stage.feed(DeleteAsked("d", "a") if phase == "erasing" else RollbackAsked("d", "a"))
    if phase in ("ready", "writing"):
        stage.end(stage.order(Examine))
    if phase.endswith("*"):
        stage.feed(Drain())
    return stage


def state(stage: Stage) -> str:
    if "d" in stage.replies:
        return outcome(stage.replies["d"]).replace(" ", ":")
    change = stage.core.changes.turns.by_id["d"]
    return str(change.phase).replace(" ", "-") + "*" * (change.why is not None)


def effect(stage: Stage, event: Event) -> str:
    ordered = [
        order
        for order in stage.orders
        if isinstance(event, DONE.get(type(order), ())) and getattr(order, "id", "d") == "d"
    ]
    before, everything = state(stage), repr((stage, list(stage.core.changes.turns), stage.core.garbage))
    try:
        if ordered:
            stage.end(ordered[-1])
        else:
            stage.feed(event)
    except IllegalTransition:
        assert repr((stage, list(stage.core.changes.turns), stage.core.garbage)) == everything
        return "illegal"
    after = state(stage)
    return "-" if after == before else after


def columns(table: str, reach: Reach) -> list[tuple[str, dict[str, str], Reach]]:
    head, *rows = (line.split() for line in table.strip().splitlines())
    return [(phase, {row[0]: row[1:][at] for row in rows}, reach) for at, phase in enumerate(head)]


def met(stage: Stage, phase: str, event: Event) -> str:
    assert state(stage) == phase
    return effect(stage, event)


@pytest.mark.parametrize(
    ("phase", "expected", "reach"),
    columns(DEPLOYMENT, deployment)
    + columns(ROLLBACK_AND_DELETION, rollback_or_deletion)
    + columns(RESCALING, rescaling),
)
def test_a_change_in_a_phase_does_this_with_each_event(phase: str, expected: dict[str, str], reach: Reach) -> None:
    assert {event: met(reach(phase), phase, EVENTS[event]) for event in expected} == expected


def test_the_tables_are_whole() -> None:
    tables = [table.strip().splitlines() for table in (DEPLOYMENT, ROLLBACK_AND_DELETION, RESCALING)]
    phases = {phase.rstrip("*") for head, *_ in tables for phase in head.split()}
    assert phases == {str(phase).replace(" ", "-") for phase in Phase}
    for _, *rows in tables:
        assert {row.split()[0] for row in rows} == EVENTS.keys()
