"""The machine's stories: feed an event, read the orders."""

from math import inf

import msgspec
import pytest

from attacca.control.core.catalogue import KEPT_REVISIONS
from attacca.control.core.events import (
    OPEN,
    Announce,
    Build,
    BuildFailed,
    CatalogueAsked,
    DeleteAsked,
    Drain,
    Examine,
    Examined,
    Ordered,
    Put,
    ReaderLeft,
    Reply,
    Restored,
    RollbackAsked,
    Say,
    StopBuild,
    Stored,
    StoreFailed,
    Sweep,
    Tick,
)
from attacca.control.core.progress import Done, Refused, Step
from attacca.control.core.stored import FUNCTIONS
from attacca.errors import IllegalTransition, NoCapacity, NotFound, TooMuchReserved
from attacca.model.endpoints import AskSandboxes
from attacca.model.messages import (
    AskHeld,
    Catalogue,
    Check,
    Checked,
    Deleted,
    Deployed,
    Evict,
    Heartbeat,
    Held,
    Prewarm,
    Send,
    WorkerLeft,
)
from attacca.model.resources import NOTHING, Resources
from attacca.model.sandbox import Capacity, WorkerView
from tests.control.stage import BROKEN, Stage, control_core, deploy, outcome, settings

NEEDS = ("a directory of Python", "none", 0.0)

VIEW = WorkerView(name="w1", capacity=Resources(1000), used=NOTHING, queued=0, running=0, limit=1)


def rested(capacity: Capacity | None = None, workers: tuple[str, ...] = ("w1",)) -> Stage:
    stage = Stage(capacity, workers)
    stage.play()
    stage.said.clear()
    return stage


def deployed(stage: Stage, *names: str, **more: object) -> None:
    for name in names:
        stage.feed(deploy(f"deploy-{name}", name, **more))
        stage.play()
    stage.said.clear()


def test_a_deployment_from_the_first_word_to_the_last() -> None:
    stage = rested()
    stage.feed(deploy("d"))
    stage.play()
    kinds = [type(command.message if isinstance(command, Send) else command) for command in stage.said]
    assert kinds == [Examine, Build, Say, Check, Say, Put, Announce, Reply]
    put, announce, reply = (command for command in stage.said if isinstance(command, Put | Announce | Reply))
    assert isinstance(put, Put)
    assert (put.key, put.version) == (FUNCTIONS + "a", 0)
    assert isinstance(announce, Announce)
    assert isinstance(announce.message, Deployed)
    assert isinstance(reply, Reply)
    assert reply.outcome == Done(announce.message.revision, 0.0, None, ("new function",))
    assert [command.step for command in stage.said if isinstance(command, Say)] == [
        Step("check", "importing revision 1"), Step("log", "a line"),
    ]  # fmt: skip


def test_an_epoch_is_durable_before_anything_is_announced_and_nothing_is_taken_before() -> None:
    core = control_core()
    assert core.handle(0.0, deploy("d")) == [
        Reply("d", Refused("draining", "the server is shutting down", "deploy again when it is back"))
    ]
    assert core.handle(0.0, Restored(epoch=4, epoch_version=9)) == [Put(OPEN, "epoch", b"5", 9)]
    announce, reply, sweep = core.handle(0.0, Stored(OPEN, 10))
    assert announce == Announce(Catalogue(5 << 32, ()))
    assert (reply, sweep) == (Reply(OPEN), Sweep(()))
    with pytest.raises(IllegalTransition, match="control is open"):
        core.handle(0.0, Restored())


def test_a_core_whose_epoch_cannot_be_written_stays_closed() -> None:
    core = control_core()
    core.handle(0.0, Restored())
    assert core.handle(0.0, StoreFailed(OPEN, BROKEN)) == [Reply(OPEN, BROKEN)]
    assert repr(core) == "<ControlCore closed: 0 functions, 0 changes, <Workers 0, 0 draining>>"


def test_what_a_worker_found_is_taken_and_the_rest_of_its_word_is_not() -> None:
    stage = rested()
    stage.feed(deploy("d"))
    stage.end(stage.order(Examine))
    stage.end(stage.order(Build))
    check = stage.order(Check)
    stage.orders.remove(check)
    assert isinstance(check, Send)
    assert isinstance(check.message, Check)
    forged = msgspec.structs.replace(check.message.revision, handler="main:f", number=7, created_at=1.0, function="b")
    stage.feed(Checked("d", forged))
    stage.play()
    done = stage.replies["d"]
    assert isinstance(done, Done)
    assert (done.revision.id, done.revision.created_at, done.revision.handler) == ("a@1", 0.0, "main:f")


@pytest.mark.parametrize("handler", ["main:f\n", "a b", "x" * 201])
def test_a_handler_that_is_no_name_is_refused_and_its_number_is_not_given_again(handler: str) -> None:
    stage = rested()
    stage.feed(deploy("d"))
    stage.end(stage.order(Examine))
    stage.end(stage.order(Build))
    check = stage.orders.pop()
    assert isinstance(check, Send)
    assert isinstance(check.message, Check)
    stage.feed(Checked("d", msgspec.structs.replace(check.message.revision, handler=handler)))
    assert outcome(stage.replies["d"]) == "bad_function"
    stage.play()
    stage.feed(deploy("e"))
    stage.play()
    assert outcome(stage.replies["e"]) == "done a@2"


def test_changes_of_one_function_take_turns_and_those_of_others_do_not_wait() -> None:
    stage = rested()
    stage.feed(deploy("1"))
    stage.feed(deploy("2"))
    stage.feed(RollbackAsked("3", "a"))
    stage.feed(DeleteAsked("4", "a"))
    stage.feed(deploy("5", "b"))
    assert [order.id for order in stage.orders if isinstance(order, Examine)] == ["1", "5"]
    stage.play()
    assert {id_: outcome(stage.replies[id_]) for id_ in "12345"} == {
        "1": "done a@1", "2": "done a@2", "3": "done a@1", "4": "done", "5": "done b@1",
    }  # fmt: skip
    assert repr(stage.core.changes.turns) == "<Turns 0 changes of 0 functions>"


@pytest.mark.long
def test_thousands_that_fail_in_their_turn_do_so_one_after_the_other() -> None:
    core = rested().core
    core.handle(0.0, deploy("d"))
    for number in range(2000):
        assert core.handle(0.0, RollbackAsked(str(number), "a", 9)) == []
    replies = core.handle(0.0, Examined("d", BROKEN))
    assert [outcome(reply.outcome) for reply in replies if isinstance(reply, Reply)][-2000:] == ["not_found"] * 2000
    assert core.changes.turns.by_function == {}


def test_of_two_that_fit_only_one_by_one_the_second_is_refused_before_it_is_written() -> None:
    stage = rested(Capacity(resources=Resources(1000), templates=False))
    stage.feed(deploy("1", "a", min_sandboxes=4))
    stage.feed(deploy("2", "b", min_sandboxes=4))
    stage.play()
    assert [outcome(stage.replies[id_]) for id_ in "12"] == ["done a@1", "too_much_reserved"]
    stage.feed(deploy("3", "c", min_sandboxes=4))
    assert outcome(stage.replies["3"]) == "too_much_reserved", "at once"
    assert [worker.granted for worker in stage.core.workers.heard()] == [{"a": 4}]


def test_a_reader_who_leaves_ends_a_deployment_until_its_check_has_begun() -> None:
    stage = rested()
    stage.feed(deploy("d"))
    stage.end(stage.order(Examine))
    assert stage.feed(ReaderLeft("d")) == [StopBuild("d")]
    assert stage.feed(ReaderLeft("d")) == []
    stage.play()
    assert outcome(stage.replies["d"]) == "cancelled"
    stage.feed(deploy("e"))
    stage.end(stage.order(Examine))
    stage.end(stage.order(Build))
    assert stage.feed(ReaderLeft("e")) == []
    stage.play()
    assert outcome(stage.replies["e"]) == "done a@1"


def test_without_a_worker_nothing_can_be_checked() -> None:
    stage = rested(workers=())
    stage.feed(deploy("d"))
    stage.play()
    assert outcome(stage.replies["d"]) == "no_capacity"
    [reply] = stage.feed(Ordered("o", Prewarm("a", 1)))
    assert isinstance(reply, Reply)
    assert isinstance(reply.outcome, NotFound)


def test_a_worker_that_drains_checks_nothing_unless_all_do() -> None:
    stage = rested(workers=("w1", "w2"))
    stage.feed(Heartbeat(msgspec.structs.replace(VIEW, draining=True)))
    assert stage.core.workers.pick(NEEDS) == "w2"
    stage.feed(Heartbeat(msgspec.structs.replace(VIEW, name="w2", draining=True)))
    assert stage.core.workers.pick(NEEDS) == "w1"
    assert repr(stage.core.workers) == "<Workers 2, 2 draining>"


def test_a_worker_not_heard_of_for_too_long_is_given_up_until_it_is_heard_of_again() -> None:
    stage = rested()
    stage.feed(deploy("d"))
    stage.end(stage.order(Examine))
    stage.end(stage.order(Build))
    assert stage.core.alarm.at == 10.0
    stage.now = 9.0
    stage.feed(Heartbeat(VIEW))
    stage.now = 10.0
    stage.feed(Tick())
    assert "d" not in stage.replies
    stage.now = 19.0
    stage.feed(Tick())
    assert outcome(stage.replies["d"]) == "sandbox_lost"
    assert stage.core.alarm.at == inf
    assert stage.core.workers.pick(NEEDS) is None
    [told, *_] = stage.feed(Heartbeat(VIEW))
    assert told == Send("w1", stage.core.changes.catalogue.catalogue())
    assert stage.core.workers.pick(NEEDS) == "w1"
    assert stage.core.alarm.at == 29.0
    assert stage.feed(Heartbeat(msgspec.structs.replace(VIEW, name="stranger"))) == []


def test_whoever_joins_or_asks_is_told_the_whole_catalogue() -> None:
    stage = rested()
    deployed(stage, "a")
    whole = stage.core.changes.catalogue.catalogue()
    assert stage.feed(CatalogueAsked("g1")) == [Send("g1", whole)]
    stage.join("w1")
    told = [Send("g1", whole), Send("w1", whole), Send("w1", AskSandboxes())]
    assert [command for command in stage.said if isinstance(command, Send)][-3:] == told


def test_a_worker_that_joins_again_has_lost_what_it_was_checking() -> None:
    stage = rested()
    stage.feed(deploy("d"))
    stage.end(stage.order(Examine))
    stage.end(stage.order(Build))
    stage.join("w1")
    assert outcome(stage.replies["d"]) == "sandbox_lost"


def test_what_workers_have_of_what_is_gone_stays_until_they_have_it_no_more() -> None:
    stage = rested(workers=("w1", "w2"))
    deployed(stage, "a")
    stage.feed(DeleteAsked("d", "a"))
    erase = stage.orders[0]
    commands = stage.end(erase)
    assert [type(command) for command in commands] == [Announce, Reply, Send, Send]
    assert isinstance(commands[0], Announce)
    assert isinstance(commands[0].message, Deleted)
    stage.orders.clear()
    round_ = str(stage.core.garbage._round)
    assert stage.feed(Held("0", "w1", ())) == [], "of a round before"
    assert stage.feed(Held(round_, "w1", ("c" * 40,))) == []
    assert repr(stage.core.garbage) == "<Garbage asking, 0 builders, 1 asked>"
    assert stage.feed(WorkerLeft("w2")) == [Sweep(("c" * 40,))]
    stage.end(stage.orders[0])
    assert stage.core.alarm.at == 1.0
    stage.now = 1.0
    [ask] = stage.feed(Tick())
    assert ask == Send("w1", AskHeld(str(stage.core.garbage._round)))
    assert stage.end(stage.orders[0]) == [Sweep(())]


def test_nothing_is_removed_while_somebody_builds_and_nothing_built_while_something_is_removed() -> None:
    stage = rested()
    deployed(stage, "a")
    stage.feed(deploy("b", "b"))
    stage.end(stage.order(Examine))
    stage.feed(DeleteAsked("d", "a"))
    stage.end(stage.orders[-1])
    assert [type(order) for order in stage.orders] == [Build]
    stage.play()
    assert stage.said[-1] == Sweep(("c" * 40,))
    stage.feed(DeleteAsked("e", "b"))
    stage.end(stage.orders[-1])
    stage.feed(deploy("c", "c"))
    stage.end(stage.order(Examine))
    assert repr(stage.core.garbage) == "<Garbage idle, 1 builders, 0 asked, wanted>", "the round was given up"
    stage.play()
    assert outcome(stage.replies["c"]) == "done c@1"


def test_draining_ends_what_is_on_its_way_and_lets_what_is_written_be_acknowledged() -> None:
    stage = rested()
    stage.feed(deploy("1"))
    for kind in (Examine, Build, Check):
        stage.end(stage.order(kind))
    stage.feed(deploy("2"))
    stage.feed(deploy("3", "b"))
    stage.feed(RollbackAsked("4", "b"))
    stage.feed(Drain())
    stage.feed(deploy("5"))
    assert not stage.core.is_at_rest()
    stage.play()
    assert {id_: outcome(stage.replies[id_]) for id_ in "12345"} == {
        "1": "done a@1", "2": "draining", "3": "draining", "4": "draining", "5": "draining",
    }  # fmt: skip
    assert stage.core.is_at_rest()
    assert not any(isinstance(order, Sweep) for order in stage.said), "the next start removes what is left"


def test_orders_go_to_workers_that_can_carry_them_out() -> None:
    stage = rested(Capacity(resources=Resources(1000)), workers=("w1", "w2"))
    deployed(stage, "a")
    assert stage.feed(Ordered("1", Prewarm("a", 3))) == [Send("w1", Prewarm("a", 3)), Reply("1")]
    [reply] = stage.feed(Ordered("2", Prewarm("a", 30)))
    assert isinstance(reply, Reply)
    assert isinstance(reply.outcome, TooMuchReserved)
    evict = Evict("a")
    assert stage.feed(Ordered("3", evict)) == [Send("w1", evict), Send("w2", evict), Reply("3")]
    for worker in ("w1", "w2"):
        stage.feed(WorkerLeft(worker))
    [reply] = stage.feed(Ordered("4", Prewarm("a", 1)))
    assert isinstance(reply, Reply)
    assert isinstance(reply.outcome, NoCapacity)


def test_building_from_source_needs_the_servers_leave() -> None:
    core = control_core()
    core.handle(0.0, Restored())
    core.handle(0.0, Stored(OPEN, 1))
    core.handle(0.0, msgspec.structs.replace(deploy("d"), from_source=True))
    [reply] = core.handle(0.0, Examined("d"))
    assert isinstance(reply, Reply)
    assert outcome(reply.outcome) == "forbidden"


def test_what_ends_is_reported_once() -> None:
    stage = rested()
    stage.feed(deploy("d"))
    stage.end(stage.order(Examine))
    stage.end(stage.order(Build))
    with pytest.raises(IllegalTransition, match="BuildFailed about the change d, which is checking"):
        stage.feed(BuildFailed("d", BROKEN))
    assert repr(stage.core.changes.turns.by_id["d"]) == "<Change d: DeployAsked a@1, checking>"
    assert repr(stage.core.changes) == "<Changes 1 on their way, 0 to be written>"
    with pytest.raises(IllegalTransition, match="which is not on its way"):
        stage.feed(Examined("nobody"))


def test_mutable_things_say_what_they_are() -> None:
    stage = rested(Capacity(resources=Resources(1000)))
    deployed(stage, "a", min_sandboxes=2)
    assert repr(stage.core) == "<ControlCore open: 1 functions, 0 changes, <Workers 1, 0 draining>>"
    assert repr(stage.core.workers.by_name["w1"]) == "<Worker w1: 2 reserved>"
    assert repr(stage.core.changes.catalogue) == f"<CatalogueState {(1 << 32) + 1}: 1 functions, 0 reserved>"
    assert settings("a") == settings()


def test_a_deployment_leaves_something_to_remove_when_it_fails_or_takes_the_place_of_the_oldest() -> None:
    stage = rested()
    for number in range(KEPT_REVISIONS):
        stage.feed(deploy(str(number)))
        stage.play()
    assert not any(isinstance(command, Sweep) for command in stage.said)
    stage.feed(deploy("last"))
    stage.play()
    assert isinstance(stage.said.pop(), Sweep)
    stage.feed(deploy("fails"))
    stage.end(stage.order(Examine))
    stage.end(stage.order(Build), fails=True)
    stage.play()
    assert isinstance(stage.said[-1], Sweep)
