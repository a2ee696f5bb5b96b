"""What must hold after every event, counted anew from what there is; tests ask for it after each one."""

from attacca.control.core.change import Change, Phase
from attacca.control.core.cluster import invariants as cluster
from attacca.control.core.control import ControlCore, Stage
from attacca.control.core.events import DeleteAsked, DeployAsked, RollbackAsked, ScaleAsked
from attacca.control.core.garbage import GarbageStage
from attacca.control.core.workers import Worker, wishes
from attacca.model.reserve import cost, room
from attacca.model.resources import NOTHING

BUILDING = (Phase.BUILDING, Phase.CHECKING, Phase.READY, Phase.WRITING)
BEGUN_BY = {
    DeployAsked: tuple(phase for phase in Phase if phase is not Phase.ERASING),
    RollbackAsked: (Phase.WAITING, Phase.EXAMINING, Phase.READY, Phase.WRITING),
    ScaleAsked: (Phase.WAITING, Phase.READY, Phase.WRITING),
    DeleteAsked: (Phase.WAITING, Phase.ERASING),
}


def check(core: ControlCore) -> None:
    """
    Raises:
        AssertionError: something that must always hold does not.
    """
    _turns(core)
    _writing(core)
    _catalogue(core)
    _garbage(core)
    cluster.check(core.cluster)
    for worker in core.workers.by_name.values():
        _reserved(core, worker)
    is_taking = core.stage is Stage.OPEN
    assert core.changes.is_open == is_taking, f"control is {core.stage}"
    assert all(worker.heard_at + core.workers.silent_s >= core.workers.silent_at for worker in core.workers.heard())


def _turns(core: ControlCore) -> None:
    turns = core.changes.turns
    waiting = [change for changes in turns.by_function.values() for change in changes]
    assert sorted(map(_id, waiting)) == sorted(turns.by_id), "a change has no turn, or two"
    for name, changes in turns.by_function.items():
        assert changes, f"nobody waits for {name}"
        first, *others = changes
        assert all(change.function == name for change in changes)
        assert first.phase is not Phase.WAITING, f"{first!r} has its turn, and has not begun"
        assert all(change.phase is Phase.WAITING for change in others), f"two changes of {name} at once"
    for change in waiting:
        assert change.phase in BEGUN_BY[type(change.ask)], f"{change!r} cannot be there"
        assert change.why is None or change.phase in (Phase.EXAMINING, Phase.BUILDING)
        if change.phase is Phase.CHECKING:
            assert change.worker in [worker.name for worker in core.workers.heard()], f"{change!r} is with nobody"
        if change.revision is not None:
            assert change.revision.number == core.changes.catalogue.next_number(change.function), "given twice"


def _writing(core: ControlCore) -> None:
    """One is written at a time, so that what each reserves is counted with what is written before it."""
    changes, ready = core.changes, core.changes.ready
    assert [change.phase for change in ready[1:]] == [Phase.READY] * len(ready[1:])
    assert not ready or ready[0].phase is Phase.WRITING, "somebody could be written, and is not"
    those = [change for change in changes.turns if change.phase in (Phase.READY, Phase.WRITING)]
    assert sorted(map(_id, those)) == sorted(map(_id, ready))


def _catalogue(core: ControlCore) -> None:
    catalogue = core.changes.catalogue
    assert catalogue.names() == sorted(core.changes.versions), "what is known is not what is stored"
    for name in catalogue.names():
        function = catalogue.get(name)
        numbers = [revision.number for revision in function.revisions]
        assert function.current in numbers
        assert numbers == sorted(set(numbers))
        assert numbers[-1] <= function.last < catalogue.next_number(name)
    keeping = {one.function: one for one in catalogue.current() if one.settings.reserves}
    assert catalogue.keeping == keeping


def _garbage(core: ControlCore) -> None:
    garbage, changes = core.garbage, list(core.changes.turns)
    building = [change for change in changes if change.is_building]
    assert garbage.builders == len(building)
    assert all(change.phase in BUILDING for change in building)
    is_sweeping = garbage.stage is GarbageStage.SWEEPING
    assert not (is_sweeping and building), "what they count on may be removed"
    assert is_sweeping or all(change.phase is not Phase.HELD_OFF for change in changes), "held off by nothing"
    assert (garbage.stage is GarbageStage.ASKING) == bool(garbage.waiting_for)
    is_due = garbage.is_wanted and not building and core.stage is Stage.OPEN
    assert not is_due or garbage.is_at_work, "nothing stands against a sweep"


def _reserved(core: ControlCore, worker: Worker) -> None:
    """Whatever is kept, one more sandbox of any function would fit beside it."""
    catalogue, capacity = core.changes.catalogue, worker.capacity
    if capacity is None:
        assert worker.granted == {}
        return
    assert worker.granted.keys() == catalogue.keeping.keys()
    reserved = NOTHING
    for name, count in worker.granted.items():
        settings = catalogue.keeping[name].settings
        assert 0 <= count <= settings.reserves
        reserved += cost(capacity, count, settings.resources)
    assert reserved == NOTHING or (reserved + room(capacity, wishes(catalogue))).fits(capacity.resources)


def _id(change: Change) -> str:
    return change.id
