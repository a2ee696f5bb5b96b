"""Every phase of a sandbox meets every event: it moves, stays, or refuses it and changes nothing."""

from collections.abc import Callable

import pytest

from attacca.errors import IllegalTransition
from attacca.model.invocation import Invocation, Request, Start
from attacca.worker.core.phases import Phase
from attacca.worker.core.state import Function, QueuedInvocation, RevisionState, Sandbox
from tests.cases import each
from tests.worker.stage import revision

TABLE = """\
          ready  take  leave     last      drain     kill   failed  gone
starting  idle   !     !         !         !         dying  gone    !
idle      !      busy  idle      idle      !         dying  !       gone
busy      !      busy  busy      idle      draining  dying  !       gone
draining  !      !     draining  draining  !         dying  !       gone
dying     dying  !     dying     dying     !         !      gone    gone
gone      !      !     !         !         !         !      !       !
"""
STATE = RevisionState(revision("echo", concurrency=3), Function("echo"))


def item(name: str) -> QueuedInvocation:
    return QueuedInvocation("g1", Invocation(name, "echo", "echo@1", Request()), STATE, 0.0)


def in_phase(phase: Phase) -> Sandbox:
    """Two run in it, where any can."""
    sandbox = Sandbox("s1", STATE, Start.COLD, "first", None, 0.0)
    if phase in (Phase.STARTING, Phase.GONE):
        sandbox.phase = phase
        return sandbox
    sandbox.ready()
    if phase is not Phase.IDLE:
        sandbox.take(item("a"))
        sandbox.take(item("b"))
    if phase is Phase.DRAINING:
        sandbox.start_draining("")
    if phase is Phase.DYING:
        sandbox.kill()
    return sandbox


def leave_last(sandbox: Sandbox) -> None:
    sandbox.running.pop("b", None)
    sandbox.leave("a")


EVENTS: list[Callable[[Sandbox], object]] = [
    Sandbox.ready,
    lambda sandbox: sandbox.take(item("c")),
    lambda sandbox: sandbox.leave("a"),
    leave_last,
    lambda sandbox: sandbox.start_draining(""),
    Sandbox.kill,
    Sandbox.failed,
    Sandbox.gone,
]
ROWS = [
    (row.split()[0], name, event, to)
    for row in TABLE.splitlines()[1:]
    for name, event, to in zip(TABLE.split("\n")[0].split(), EVENTS, row.split()[1:], strict=True)
]


@each("phase", Phase)
def test_a_phase_meets_every_event(phase: Phase) -> None:
    for _, name, event, becomes in (row for row in ROWS if row[0] == phase):
        meet(phase, name, event, becomes)


def meet(phase: str, name: str, event: Callable[[Sandbox], object], becomes: str) -> None:
    sandbox = in_phase(Phase(phase))
    before = list(sandbox.running)
    if becomes == "!":
        with pytest.raises(IllegalTransition, match=f"sandbox s1 is {phase}: "):
            event(sandbox)
        becomes = phase
        if name != "last":
            assert list(sandbox.running) == before
    else:
        event(sandbox)
    assert sandbox.phase == becomes, name


def test_a_full_sandbox_takes_no_more() -> None:
    sandbox = in_phase(Phase.BUSY)
    sandbox.take(item("c"))
    with pytest.raises(IllegalTransition):
        sandbox.take(item("d"))
    assert list(sandbox.running) == ["a", "b", "c"]


def test_who_was_given_up_leaves_as_nobody() -> None:
    sandbox = in_phase(Phase.BUSY)
    assert sandbox.leave("a") is not None
    assert sandbox.leave("a") is None
    assert sandbox.phase is Phase.BUSY


def test_a_view_says_how_long_it_rests() -> None:
    view = in_phase(Phase.IDLE).view(5.0)
    assert (view.phase, view.age_s, view.idle_s, view.busy, view.revision) == ("idle", 5.0, 5.0, 0, "echo@1")
