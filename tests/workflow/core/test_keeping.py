"""What lies in the store is what there is: nothing that nobody owns stays there."""

import msgspec

from attacca.errors import StateUnavailable
from attacca.kernel.rand import Streams
from attacca.model.events import StateKept
from attacca.model.federation import Left
from attacca.model.messages import Send
from attacca.model.resources import Resources
from attacca.model.sandbox import WorkerView
from attacca.model.workflow import WorkflowSpec
from attacca.policy.placement.random import Random
from attacca.workflow.core.domain import DomainCore
from attacca.workflow.core.events import (
    Command,
    Erase,
    Erased,
    NodeJoined,
    Put,
    Record,
    Reply,
    Restored,
    StartAsked,
    StateRecord,
    StopAsked,
    Stored,
    StoreFailed,
    Tick,
)
from attacca.workflow.core.keeping import NODES, WORKFLOWS
from tests.workflow.core.stage import Stage, function, syncs
from tests.workflow.core.test_moving import quiet

RECORD = Record("w1", WorkflowSpec(name="demo", components=(function("a"), function("b"))), 0.0)
OWNED = StateRecord("w1", "a", 1, 1, b"1")


def erased(out: list[Command]) -> list[str]:
    return [one.key for one in out if isinstance(one, Erase)]


def written(out: list[Command]) -> list[str]:
    return [one.key for one in out if isinstance(one, Put)]


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
    core.handle(0.1, StoreFailed(keys[0], StateUnavailable("it is gone", ""), is_erase=True))
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
    core.handle(0.3, StoreFailed(key, StateUnavailable("it is gone", ""), is_erase=True))
    out = core.handle(5.0, Tick())
    assert (key in erased(out), [one for one in out if isinstance(one, Put) and one.key == key]) == (True, [])


GONE = StateUnavailable("it is gone", "")
STATE = "workflow-states/w1/only"


def empty(*states: StateRecord) -> DomainCore:
    """With a node, and with what lies in the store of no workflow."""
    core = DomainCore(Random(), Streams(1).stream("x"))
    core.handle(0.0, Restored((), tuple((state, 1) for state in states)))
    view = WorkerView(name="n", capacity=Resources(1000), used=Resources(0), queued=0, running=0, limit=2)
    core.handle(0.0, NodeJoined(view, ""))
    return core


def again(core: DomainCore, *left: Left) -> list[Command]:
    """What was here goes on here, after another domain had it."""
    spec = WorkflowSpec(name="demo", components=(function("only"),))
    return core.handle(2.0, StartAsked("again", spec, 0.0, "w1", 3, left))


def test_a_state_that_comes_back_is_not_erased_because_the_one_before_could_not_be() -> None:
    core = empty(StateRecord("w1", "only", 1, 1, b"old"))
    core.handle(0.1, StoreFailed(STATE, GONE, is_erase=True))
    assert written(again(core, Left("only", 7, 4, b"new", (), ()))) == [STATE]
    assert STATE not in erased(core.handle(9.0, Tick()))


def test_one_that_comes_back_without_a_state_does_not_find_the_one_of_before() -> None:
    core = empty(StateRecord("w1", "only", 1, 1, b"old"))
    core.handle(0.1, StoreFailed(STATE, GONE, is_erase=True))
    assert STATE in erased(again(core))


def test_a_sync_is_answered_though_what_was_there_before_could_not_be_erased() -> None:
    stage = Stage(quiet)
    workflow = stage.start(function("only"))
    key = f"workflow-states/{workflow}/only"
    stage.core.keeping._erase(key, [])  # of one before, at the same place
    stage.tell(StoreFailed(key, GONE, is_erase=True))
    stage.is_writing = False
    instance, node = stage.at(workflow, "only")
    syncs(stage.nodes[node], instance, b"1")
    stage.play(0.1)
    answer = [
        one.message for one in stage.core.handle(stage.clock.now(), StoreFailed(key, GONE))
        if isinstance(one, Send) and isinstance(one.message, StateKept)
    ]  # fmt: skip
    assert [one.error for one in answer] == ["it is gone"]
    assert key not in stage.core.placing.writing
    assert key not in erased(stage.core.handle(9.0, Tick()))


def test_what_came_with_a_workflow_that_could_not_be_kept_is_erased_with_it() -> None:
    core = empty()
    again(core, Left("only", 7, 4, b"new", (), ()))
    assert written(core.handle(2.1, Stored(STATE, 1))) == [WORKFLOWS + "w1"], "when that is there"
    assert erased(core.handle(2.2, StoreFailed(WORKFLOWS + "w1", GONE))) == [WORKFLOWS + "w1", STATE]
    core.handle(2.3, Erased(STATE))
    assert repr(core.keeping) == "<Keeping 0 keys, 0 being written>"


def test_a_workflow_is_refused_where_what_it_has_brought_along_cannot_be_kept() -> None:
    core = empty()
    for _ in range(2):
        again(core, Left("only", 7, 4, b"new", (), ()))
        out = core.handle(2.1, StoreFailed(STATE, GONE))
        assert [one.outcome for one in out if isinstance(one, Reply)] == [GONE], "whoever has it still begins it again"
        assert (erased(out), core.workflows) == ([STATE], {})
        core.handle(2.2, Erased(STATE))
    again(core, Left("only", 7, 4, b"new", (), ()))
    core.handle(2.3, StopAsked("over", "w1"))
    core.handle(2.4, StoreFailed(STATE, GONE))
    core.handle(2.5, Erased(WORKFLOWS + "w1"))
    assert core.workflows == {}


def moving(run_ms: float) -> tuple[Stage, str, str]:
    """One that is to end, and its key. The store answers nobody."""
    stage = Stage(quiet, nodes=2)
    workflow = stage.start(function("only"))
    instance, where = stage.at(workflow, "only")
    stage.nodes[where].run_ms = run_ms
    stage.is_writing = False
    stage.migrate(workflow, "only", "n2" if where == "n1" else "n1")
    syncs(stage.nodes[where], instance, b"last")
    return stage, workflow, f"workflow-states/{workflow}/only"


def test_one_that_moves_and_cannot_have_its_state_kept_waits_and_says_so() -> None:
    stage, workflow, key = moving(5000.0)
    stage.play(0.1)
    stage.tell(StoreFailed(key, GONE))
    (row,) = stage.core.view(workflow).instances
    assert (row.state, row.why) == ("moving", "its state cannot be kept: it is gone")
    for _ in range(3):
        stage.play(1.1)  # it is tried again
        stage.tell(StoreFailed(key, GONE))
    stage.is_writing = True
    stage.play(1.1)
    assert stage.core.workflows[workflow].parts["only"].state == b"last"
    stage.play(5.0)
    (row,) = stage.core.view(workflow).instances
    assert (row.state, row.starts, row.why) == ("up", 2, "")


def test_a_newer_state_takes_the_place_of_one_that_could_not_be_kept() -> None:
    stage, workflow, key = moving(5000.0)
    stage.play(0.1)
    stage.tell(StoreFailed(key, GONE))
    instance, where = stage.at(workflow, "only")
    stage.is_writing = True
    syncs(stage.nodes[where], instance, b"newest")
    stage.play(9.0)
    assert stage.core.workflows[workflow].parts["only"].state == b"newest"
    assert msgspec.json.decode(stage.store[key][0], type=StateRecord).state == b"newest"


def test_what_could_not_be_kept_is_not_tried_again_when_its_workflow_is_over() -> None:
    stage, workflow, key = moving(500.0)
    stage.play(0.1)
    stage.tell(StoreFailed(key, GONE))
    stage.tell(StopAsked("stop", workflow))
    stage.is_writing = True
    stage.play(9.0)
    assert stage.core.workflows == {}
    assert key not in stage.store


def test_who_follows_begins_with_what_could_not_be_kept_and_that_is_tried_until_it_is() -> None:
    stage, workflow, key = moving(1.0)
    stage.play(0.1)
    stage.tell(StoreFailed(key, GONE))
    stage.play(0.5)
    instance, where = stage.at(workflow, "only")
    assert stage.nodes[where].core.instances.by_id[instance].start.state == b"last"
    assert key not in stage.store
    stage.play(1.0)
    stage.tell(StoreFailed(key, GONE))
    stage.is_writing = True
    stage.play(1.5)
    assert msgspec.json.decode(stage.store[key][0], type=StateRecord).state == b"last"
    before = stage.store[key][1]
    stage.play(5.0)
    assert stage.store[key][1] == before, "once"


def test_what_is_still_on_its_way_into_the_store_goes_with_its_workflow() -> None:
    core = empty()
    again(core, Left("only", 7, 4, b"new", (), ()))
    core.handle(2.1, Stored(WORKFLOWS + "w1", 1))
    core.handle(2.2, StopAsked("over", "w1"))
    assert erased(core.handle(2.3, Erased(WORKFLOWS + "w1"))) == [STATE]
