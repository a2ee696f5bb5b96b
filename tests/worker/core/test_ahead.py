"""What a busy sandbox is handed before its turn: when, in which order, and how it is taken back."""

from random import Random

import pytest

from attacca.model.function import Revision
from attacca.model.invocation import Failed, Ok
from attacca.model.messages import Evict, Send, Started
from attacca.policy.queueing.mqfq import Mqfq
from attacca.worker.config import WorkerConfig
from attacca.worker.core.ahead import LONG_S, RUNS
from attacca.worker.core.events import Drain, Hand, Kill, PeerLost, Run, TakeBack
from attacca.worker.core.reports import SandboxGone, TakenBack
from attacca.worker.runtime.scripted import Times
from tests.worker.stage import GATEWAY, Stage, revision

QUICK = Times(run_ms=0.5, sandbox_ms=0.0, code_ms=0.0, imports_ms=0.0)


def known(sandboxes: int = 1, times: Times = QUICK, **more: object) -> tuple[Stage, Revision]:
    """A function that takes as long, as its worker has seen."""
    stage = Stage(WorkerConfig(memory_mb=1000, templates=False, **more), times=times)  # type: ignore[arg-type]  # any settings
    echo = stage.deploy("echo", max_sandboxes=sandboxes, queue=1000)
    for _ in range(RUNS):
        stage.send(echo)
        stage.play(0.1)
    stage.send(echo, sandboxes)  # as many sandboxes as it may have
    stage.play(0.1)
    stage.said.clear()
    return stage, echo


def handed(stage: Stage) -> list[str]:
    return [one.invocation.id for one in stage.all(Hand)]


def test_it_is_handed_what_waits_once_one_has_ended() -> None:
    stage, echo = known(ahead=4)
    stage.send(echo, 8)
    assert handed(stage) == []
    stage.play(0.0005)
    (sandbox,) = stage.core.pool.sandboxes.values()
    assert [one.id for one in sandbox.ahead] == ["echo-20", "echo-21"]
    assert repr(stage.core.scheduler.ahead) == "<HandOver 1 sandboxes hold something, at most 4 each>"
    stage.play(1)
    assert len(stage.ended) == RUNS + 1 + 8
    order = [one.invocation.id for one in stage.all(Run)]
    assert order == [f"echo-{number}" for number in range(18, 26)]
    assert repr(stage.core.scheduler.ahead) == "<HandOver 0 sandboxes hold something, at most 4 each>"


def test_never_more_than_it_may_have_and_always_one_is_left_for_each_sandbox() -> None:
    stage, echo = known(2, ahead=3)
    stage.send(echo, 30)
    for _ in range(40):
        stage.play(0.0005)
        held = [len(one.ahead) for one in stage.core.pool.sandboxes.values()]
        assert max(held) <= 3
        assert sum(held) == 0 or len(stage.core.scheduler.queue) >= 1
    assert len(stage.ended) == RUNS + 2 + 30


def test_of_a_very_short_one_what_comes_need_not_wait_first_and_whoever_holds_least_has_it() -> None:
    stage, echo = known(2, Times(run_ms=0.05, sandbox_ms=0.0, code_ms=0.0, imports_ms=0.0), ahead=2)
    stage.send(echo, 8)
    held = [[item.id for item in sandbox.ahead] for sandbox in stage.core.pool.sandboxes.values()]
    assert held == [["echo-21", "echo-23"], ["echo-22", "echo-24"]]
    assert len(stage.core.scheduler.queue) == 2
    stage.play(1)
    assert len(stage.ended) == RUNS + 2 + 8


def test_it_waits_for_a_sandbox_that_may_be_made_and_not_behind_another() -> None:
    stage, echo = known(1, Times(run_ms=0.05))
    stage.deploy("echo", 1, max_sandboxes=2)
    stage.send(echo, 2)
    assert handed(stage) == []
    assert stage.core.catalogue.states[echo.id].starting == 1


def test_nobody_is_put_behind_one_that_takes_long_already() -> None:
    stage, echo = known(1, Times(run_ms=0.05))
    stage.send(echo)
    (instance,) = stage.runtime.sandboxes.values()
    stage.runtime.stick(instance)
    stage.play(2 * LONG_S)
    stage.send(echo)
    assert handed(stage) == []


def test_its_time_begins_with_its_turn_and_it_says_how_it_came_by_it() -> None:
    stage, echo = known()
    stage.send(echo, 8)
    stage.play(0.0005)
    (ahead, *_) = handed(stage)
    assert ahead not in stage.started
    stage.play(0.0005)
    assert stage.started[ahead].timing.queued == pytest.approx(1.0)
    assert stage.started[ahead].turn.startswith("handed ahead: its function takes less than a millisecond")


def test_nothing_is_handed_where_that_is_not_wanted() -> None:
    stage, echo = known(ahead=0)
    stage.send(echo, 8)
    stage.play(1)
    assert handed(stage) == []


def test_nor_where_the_function_takes_long_or_is_hardly_known() -> None:
    stage, echo = known(times=Times(run_ms=1.5))
    stage.send(echo, 8)
    stage.play(1)
    fresh = stage.deploy("fresh", max_sandboxes=1)
    stage.send(fresh, 8)
    stage.play(1)
    assert handed(stage) == []


def test_nor_where_others_wait_too() -> None:
    """Whoever is next is for the queue to say."""
    stage, echo = known()
    other = stage.deploy("other", max_sandboxes=1)
    stage.send(other, 2)
    stage.send(echo, 8)
    stage.play(0.0005)
    assert [one.id for one in stage.core.scheduler.items.values() if one.state.function.name == "other"]
    assert handed(stage) == []


def test_nor_where_the_queue_wants_to_see_each_when_its_turn_comes() -> None:
    stage = Stage(times=QUICK, queueing=Mqfq())
    echo = stage.deploy("echo", max_sandboxes=1)
    for _ in range(RUNS):
        stage.send(echo)
        stage.play(0.1)
    stage.send(echo, 8)
    stage.play(1)
    assert handed(stage) == []


def test_nor_to_sandboxes_that_run_several_or_are_told_of_whole_requests() -> None:
    stage = Stage(times=QUICK)
    many = stage.deploy("many", max_sandboxes=1, concurrency=2)
    for _ in range(RUNS):
        stage.send(many)
        stage.play(0.1)
    stage.send(many, 20)
    stage.play(1)
    assert handed(stage) == []


def stuck(stage: Stage, echo: Revision) -> list[str]:
    """What it was handed behind one that does not end."""
    stage.send(echo, 8)
    stage.play(0.0005)
    (instance,) = stage.runtime.sandboxes.values()
    stage.runtime.stick(instance)
    return handed(stage)


def test_what_waits_behind_one_that_takes_long_is_taken_back_and_is_next_elsewhere() -> None:
    stage, echo = known()
    held = stuck(stage, echo)
    stage.play(3 * LONG_S)
    assert stage.all(TakeBack)
    (sandbox,) = stage.core.pool.sandboxes.values()
    assert not sandbox.ahead
    assert [one.id for one in stage.core.scheduler.head_of_line] == held
    stage.withdraw(next(iter(sandbox.running)), running=True)
    stage.play(1)
    assert [one.invocation.id for one in stage.all(Run)[2:4]] == held
    assert len(stage.ended) == RUNS + 1 + 8


def test_what_is_withdrawn_is_taken_back_first() -> None:
    stage, echo = known()
    held = stuck(stage, echo)
    stage.withdraw(held[0], running=False)
    assert held[0] not in stage.ended
    stage.play(0.002)
    assert stage.failure(held[0]).code == "timeout"
    assert [one.id for one in stage.core.scheduler.head_of_line] == held[1:]


def test_what_has_begun_when_it_is_withdrawn_goes_on_or_is_given_up() -> None:
    for running in (False, True):
        stage, echo = known()
        held = stuck(stage, echo)
        (instance,) = stage.runtime.sandboxes.values()
        instance.ahead.clear()  # the sandbox has them
        stage.withdraw(held[0], running=running)
        stage.runtime.loosen([*instance.running.values()])
        assert bool(stage.all(Kill)) is running
        stage.play(1)
        assert isinstance(stage.ended[held[0]].outcome, Failed if running else Ok)


def test_a_sandbox_that_dies_loses_what_it_had_begun_and_no_more() -> None:
    stage, echo = known()
    held = stuck(stage, echo)
    (name,) = stage.core.pool.sandboxes
    (running,) = stage.core.pool.sandboxes[name].running
    stage.runtime.lose(name, "sandbox_lost", "killed")
    assert stage.failure(running).code == "sandbox_lost"
    stage.play(1)
    assert all(stage.ended[one].outcome == Ok(body=one.encode()) for one in held)


def test_of_what_nobody_knows_whether_it_has_begun_is_lost_with_its_sandbox() -> None:
    stage, echo = known()
    held = stuck(stage, echo)
    (name,) = stage.core.pool.sandboxes
    stage.tell(SandboxGone(name, "sandbox_lost", "killed", tuple(held[1:])))
    assert stage.failure(held[0]).code == "sandbox_lost"
    assert [one for one in held if one in stage.ended] == held[:1]


def test_a_sandbox_that_gives_it_back_is_handed_nothing_any_more() -> None:
    stage, echo = known()
    held = stuck(stage, echo)
    (sandbox,) = stage.core.pool.sandboxes.values()
    stage.tell(TakenBack(sandbox.id, (held[0],), by_itself=True))
    assert [one.id for one in sandbox.ahead] == held[1:]
    assert not sandbox.state.can_have_ahead


def test_a_worker_that_drains_refuses_it_if_it_has_not_begun() -> None:
    stage, echo = known()
    held = stuck(stage, echo)
    stage.tell(Drain())
    stage.play(0.002)
    assert [stage.failure(one).code for one in held] == ["draining"] * len(held)


def test_a_gateway_that_is_gone_leaves_nothing_behind() -> None:
    stage, echo = known()
    stuck(stage, echo)
    stage.tell(PeerLost(GATEWAY))
    stage.play(1)
    assert stage.core.busy() == 0


def test_nothing_of_it_is_told_before_its_turn() -> None:
    stage, echo = known()
    stage.send(echo, 8)
    stage.play(0.0005)
    told = [one.message.id for one in stage.all(Send) if isinstance(one.message, Started)]
    assert not set(told) & set(handed(stage))


def test_a_revision_that_is_not_current_any_more_is_done_with_what_it_was_handed() -> None:
    stage, echo = known()
    stage.send(echo, 8)
    stage.play(0.0005)
    assert handed(stage)
    stage.deploy("echo", 2, max_sandboxes=1)
    stage.play(1)
    assert len(stage.ended) == RUNS + 1 + 8
    assert revision("echo").id not in stage.core.catalogue.states


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_each_ends_once(seed: int) -> None:
    """What must always hold is looked at after each event."""
    chance = Random(seed)
    stage, echo = known(chance.choice((1, 2, 3)), Times(run_ms=chance.choice((0.05, 0.5))), ahead=chance.choice((1, 4)))
    sent: list[str] = []
    for _ in range(60):
        match chance.choice(("send", "send", "play", "play", "withdraw", "lose", "stick", "give back", "renew")):
            case "send":
                before = stage.sent
                stage.send(echo, chance.choice((1, 3, 12)))
                sent += [f"echo-{number}" for number in range(before + 1, stage.sent + 1)]
            case "play":
                stage.play(chance.choice((0.0001, 0.001, 0.02)))
            case "withdraw" if sent:
                stage.withdraw(chance.choice(sent), running=chance.random() < 0.5)
            case "lose" if ready := [name for name, one in stage.runtime.sandboxes.items() if one.is_ready]:
                stage.runtime.lose(chance.choice(ready), "sandbox_lost", "killed")
            case "stick" if stage.runtime.sandboxes:
                stage.runtime.stick(chance.choice([*stage.runtime.sandboxes.values()]))
            case "give back" if held := [one for one in stage.core.pool.sandboxes.values() if one.ahead]:
                sandbox = chance.choice(held)
                stage.tell(TakenBack(sandbox.id, (chance.choice(sandbox.ahead).id,)))
            case "renew":
                stage.tell(Evict("echo", is_renewal=True))
            case _:
                pass
    for name in sent:
        stage.withdraw(name, running=True)
    stage.play(5)
    assert set(sent) <= stage.ended.keys()
    assert stage.core.busy() == 0
