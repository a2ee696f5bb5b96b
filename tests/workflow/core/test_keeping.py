"""What lies in the store is what there is: nothing that nobody owns stays there."""

from attacca.errors import StateUnavailable
from attacca.kernel.rand import Streams
from attacca.model.workflow import WorkflowSpec
from attacca.policy.placement.random import Random
from attacca.workflow.core.domain import DomainCore
from attacca.workflow.core.events import (
    Command,
    Erase,
    Erased,
    Put,
    Record,
    Restored,
    StateRecord,
    StopAsked,
    Stored,
    StoreFailed,
    Tick,
)
from attacca.workflow.core.keeping import NODES, WORKFLOWS
from tests.workflow.core.stage import function

RECORD = Record("w1", WorkflowSpec(name="demo", components=(function("a"), function("b"))), 0.0)
OWNED = StateRecord("w1", "a", 1, 1, b"1")


def erased(out: list[Command]) -> list[str]:
    return [one.key for one in out if isinstance(one, Erase)]


def begun(*states: StateRecord) -> tuple[DomainCore, list[Command]]:
    core = DomainCore(Random(), Streams(1).stream("x"))
    out = core.handle(0.0, Restored(((RECORD, 1),), tuple((state, 1) for state in states)))
    core.handle(0.0, Stored(NODES, 1))
    return core, out


def test_states_that_belong_to_no_workflow_are_swept_when_somebody_takes_over() -> None:
    gone = StateRecord("w2", "a", 1, 1, b"1"), StateRecord("w1", "c", 1, 1, b"1"), StateRecord("w1", "a~2", 1, 1, b"1")
    core, out = begun(OWNED, *gone)
    keys = [f"workflow-states/{one.workflow}/{one.component}" for one in gone]
    assert erased(out) == keys
    core.handle(0.1, StoreFailed(keys[0], StateUnavailable("it is gone", "")))
    core.handle(0.1, Erased(keys[1]))
    assert erased(core.handle(1.2, Tick())) == keys[:1], "until it is gone"
    core.handle(1.3, Erased(keys[0]))
    assert erased(core.handle(9.0, Tick())) == []


def test_a_workflow_goes_before_its_states_so_that_it_never_comes_back_without_them() -> None:
    core, _ = begun(OWNED)
    out = core.handle(0.1, StopAsked("over", "w1"))
    assert erased(out) == [WORKFLOWS + "w1"]
    out = core.handle(0.2, Erased(WORKFLOWS + "w1"))
    assert erased(out) == ["workflow-states/w1/a"]
    assert not [one for one in out if isinstance(one, Put)]


def test_one_that_is_over_is_not_written_again_though_it_could_not_be_before() -> None:
    """A component was to leave, which could not be written; then all of it was stopped."""
    core, _ = begun()
    key = WORKFLOWS + "w1"
    core.handle(0.0, StopAsked("moves", "w1~b", hands_over=True))
    for _ in range(2):
        core.handle(0.1, StoreFailed(key, StateUnavailable("it is gone", "")))
    assert key in erased(core.handle(0.2, StopAsked("over", "w1")))
    core.handle(0.3, StoreFailed(key, StateUnavailable("it is gone", "")))
    out = core.handle(5.0, Tick())
    assert (key in erased(out), [one for one in out if isinstance(one, Put) and one.key == key]) == (True, [])
