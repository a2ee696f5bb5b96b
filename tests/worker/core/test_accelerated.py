"""Stories of functions that need an accelerator, on a worker that has some and on one that has none."""

from attacca.model.accelerators import Compute
from attacca.model.function import Scheduling
from attacca.model.invocation import Ok, Start
from attacca.model.machine import Device
from attacca.policy.dispatch.types import BOTH, CPU, GPU, Asked, Chosen, Forgetful
from attacca.policy.queueing.mqfq import Mqfq
from attacca.policy.queueing.types import Queueing
from attacca.worker.config import AcceleratorsConfig, WorkerConfig
from attacca.worker.core import view
from attacca.worker.core.events import Drain, Kill, MakeSandbox, PeerLost
from attacca.worker.core.reports import DevicesSeen
from attacca.worker.runtime.scripted import Times
from tests.worker.stage import GATEWAY, Stage


def equipped(count: int = 1, *, at_once: int = 1, queueing: Queueing | None = None, **settings: object) -> Stage:
    devices = tuple(Device(name=str(number), memory_mb=1000) for number in range(count))
    accelerators = AcceleratorsConfig(devices=devices, at_once=at_once)
    config = WorkerConfig(memory_mb=1000, accelerators=accelerators, **settings)  # type: ignore[arg-type]  # of its fields
    return Stage(config, times=Times(run_ms=100), on_devices=queueing or Mqfq(), limit=1)


def visible(made: MakeSandbox) -> str:
    return made.revision.settings.env["CUDA_VISIBLE_DEVICES"]


def test_a_sandbox_is_given_a_device_and_starts_cold() -> None:
    stage = equipped(2)
    ant = stage.deploy("ant", gpu=1)
    first, second = stage.send(ant), stage.send(ant)
    stage.play(1)
    assert [visible(made) for made in stage.all(MakeSandbox)] == ["0", "1"]
    assert stage.start(first) is stage.start(second) is Start.COLD
    third = stage.send(ant)
    stage.play(1)
    assert stage.start(third) is Start.WARM
    assert stage.ended.keys() == {first, second, third}


def test_one_waits_for_the_device_and_no_other_function_waits_for_it() -> None:
    stage = equipped()
    ant, bee, cat = stage.deploy("ant", gpu=1), stage.deploy("bee", gpu=1), stage.deploy("cat")
    stage.send(ant)
    late = stage.send(bee)
    plain = stage.send(cat)
    stage.play(0.15)
    assert late not in stage.started
    assert plain in stage.started
    stage.play(5)
    assert stage.started[late].timing.queued >= 150
    assert stage.ended.keys() == {"ant-1", late, plain}
    assert [command.why for command in stage.all(Kill)] == ["evicted for a device"]


def test_a_share_leaves_room_for_another() -> None:
    stage = equipped(at_once=2)
    ant, bee = stage.deploy("ant", gpu=0.5), stage.deploy("bee", gpu=0.5)
    stage.send(ant)
    stage.send(bee)
    stage.play(1)
    assert [visible(made) for made in stage.all(MakeSandbox)] == ["0", "0"]
    assert not stage.all(Kill)


def test_where_there_is_none_it_is_refused_with_what_to_try() -> None:
    stage = Stage()
    ant = stage.deploy("ant", gpu=1)
    stage.check(ant)
    [checked] = stage.checked
    assert checked.error is not None
    assert checked.error.message == "'ant' asks for 1 gpu, and the whole worker has 0 gpu"
    assert "attacca doctor" in checked.error.hint
    assert stage.failure(stage.send(ant)).code == "no_capacity"


def test_a_device_that_is_too_small_is_no_room() -> None:
    stage = equipped(2)
    failure = stage.failure(stage.send(stage.deploy("ant", gpu=0.5, gpu_memory_mb=1500)))
    assert failure.message == "'ant' fits on no accelerator that the worker has"


def test_what_control_orders_has_its_device_too() -> None:
    stage = equipped()
    ant = stage.deploy("ant", gpu=1, scheduling=Scheduling.CLUSTER)
    stage.order(ant, "c1")
    stage.order(ant, "c2")
    stage.play(1)
    assert [visible(made) for made in stage.all(MakeSandbox)] == ["0"]
    assert stage.down.keys() == {"c2"}


def test_who_waits_for_a_device_can_be_withdrawn_and_a_drain_refuses_it() -> None:
    stage = equipped()
    ant = stage.deploy("ant", gpu=1)
    running, waiting, left = stage.send(ant), stage.send(ant), stage.send(ant)
    stage.play(0.15)
    stage.withdraw(waiting, running=False)
    assert stage.failure(waiting).code == "timeout"
    stage.withdraw(running, running=True)
    assert stage.failure(running).code == "timeout"
    stage.play(5)
    assert left in stage.started


def test_kept_sandboxes_are_made_once_nobody_waits_for_the_device() -> None:
    stage = equipped()
    ant, bee = stage.deploy("ant", gpu=1), stage.deploy("bee", min_sandboxes=1)
    stage.send(ant, 2)
    stage.play(0.01)
    assert stage.idle("bee") == 0
    stage.play(0.2)
    assert stage.idle("bee") == 1
    assert bee.settings.min_sandboxes == 1


# One that disappears.


def test_what_ran_on_it_is_lost_and_goes_on_where_there_is_another() -> None:
    stage = equipped(2)
    ant, cat = stage.deploy("ant", gpu=1), stage.deploy("cat")
    first, second, third = (stage.send(ant) for _ in range(3))
    stage.play(0.12)
    stage.tell(DevicesSeen(("1",)))
    assert stage.failure(first).message == "its accelerator is not there any more"
    plain = stage.send(cat)
    stage.play(5)
    assert all(isinstance(stage.ended[name].outcome, Ok) for name in (plain, second, third))
    assert [visible(made) for made in stage.all(MakeSandbox) if made.revision.function == "ant"] == ["0", "1"]


def test_where_none_is_left_who_waits_is_refused_until_it_is_back() -> None:
    stage = equipped()
    ant = stage.deploy("ant", gpu=1)
    first, second = stage.send(ant), stage.send(ant)
    stage.play(0.05)
    stage.tell(DevicesSeen(()))
    assert {stage.failure(name).code for name in (first, second)} == {"no_capacity"}
    assert stage.failure(stage.send(ant)).code == "no_capacity"
    stage.play(5)
    stage.tell(DevicesSeen(("0",)))
    third = stage.send(ant)
    stage.play(5)
    assert isinstance(stage.ended[third].outcome, Ok)
    assert repr(stage.core.accelerators) == "<Accelerators <Devices 1 there, 0 gone, 1 parts held>>"
    assert repr(stage.core.lines).startswith("<Lines <Scheduler 0 running and 0 claimed of 1, 0 queued")


def test_what_control_has_ordered_there_ends_too() -> None:
    stage = equipped()
    ant = stage.deploy("ant", gpu=1, scheduling=Scheduling.CLUSTER)
    stage.order(ant, "c1")
    stage.play(1)
    name = stage.run_in("c1", ant)
    stage.tell(DevicesSeen(()))
    stage.play(1)
    assert stage.failure(name).code == "sandbox_lost"
    assert stage.down["c1"].error.code == "sandbox_lost"


def test_a_worker_without_devices_hears_of_them_and_does_nothing() -> None:
    stage = Stage()
    assert stage.tell(DevicesSeen(("0",))) == []


# One that may do without.


class Told(Forgetful):
    """Does as it is told."""

    def __init__(self, *on: tuple[Compute, ...]) -> None:
        self.on, self.asked, self.heard = list(on), list[Asked](), list[tuple[str, Compute]]()

    def choose(self, now: float, asked: Asked) -> Chosen:
        self.asked.append(asked)
        return Chosen(self.on.pop(0) if len(self.on) > 1 else self.on[0], "told so")

    def ended(self, now: float, function: str, compute: Compute, exec_s: float, total_s: float) -> None:
        self.heard.append((function, compute))


def told(*on: tuple[Compute, ...], limit: int = 2, count: int = 1) -> tuple[Stage, Told]:
    devices = tuple(Device(name=str(number), memory_mb=1000) for number in range(count))
    dispatcher = Told(*on)
    config = WorkerConfig(memory_mb=1000, templates=False, accelerators=AcceleratorsConfig(devices=devices))
    times = Times(run_ms=100)
    return Stage(config, times=times, on_devices=Mqfq(), limit=limit, dispatcher=dispatcher), dispatcher


def computed(stage: Stage) -> list[str]:
    return [made.revision.settings.env.get("CUDA_VISIBLE_DEVICES", "none") for made in stage.all(MakeSandbox)]


def test_it_runs_where_the_policy_says_and_the_policy_hears_of_its_end() -> None:
    stage, dispatcher = told(GPU, CPU, GPU)
    ant = stage.deploy("ant", gpu=1, compute=BOTH)
    first, second = stage.send(ant), stage.send(ant)
    stage.play(5)
    assert computed(stage) == ["0", "none"]
    assert [made.revision.settings.gpu for made in stage.all(MakeSandbox)] == [1, 0]
    assert dispatcher.heard == [("ant", Compute.GPU), ("ant", Compute.CPU)]
    third = stage.send(ant)
    stage.play(5)
    assert stage.start(third) is Start.WARM
    assert stage.started[third].turn == "on the gpu: told so"
    assert stage.ended.keys() == {first, second, third}
    asked = dispatcher.asked[2]
    assert (asked.function, asked.share, asked.gpu.sandboxes, asked.cpu.slots) == ("ant", 1.0, 1, 2)
    assert asked.gpu.exec_s == asked.cpu.exec_s == 0.1
    assert asked.gpu.total_s == asked.gpu.last_s > 0.1
    assert asked.gpu.start_s == 0.1
    assert asked.gap_s > 0
    assert repr(stage.core.choosing).startswith("<Choosing of 3 invocations of 1 functions: ")


def test_what_waits_for_both_runs_once_where_its_turn_comes_first() -> None:
    stage, _ = told(BOTH, limit=1)
    ant = stage.deploy("ant", gpu=1, compute=BOTH)
    names = [stage.send(ant) for _ in range(6)]
    assert view.brief(stage.core).queued == 6
    stage.withdraw(names[5], running=False)
    stage.play(5)
    assert stage.ended.keys() == set(names)
    assert sorted(computed(stage)) == ["0", "none"]
    assert not stage.core.lines.both
    assert {one.function: one.invocations for one in view.of(stage.core, 0.0).functions}.keys() == {"ant", "ant/gpu"}


def test_a_drain_and_a_lost_gateway_end_what_waits_for_both_once() -> None:
    for event in (Drain(), PeerLost(GATEWAY)):
        stage, _ = told(BOTH, limit=1)
        ant = stage.deploy("ant", gpu=1, compute=BOTH)
        for _ in range(5):
            stage.send(ant)
        stage.tell(event)
        stage.play(5)
        assert len(stage.ended) == 5


def test_without_a_device_it_runs_on_a_processor() -> None:
    stage = Stage()
    name = stage.send(stage.deploy("ant", gpu=1, compute=BOTH))
    stage.play(5)
    assert computed(stage) == ["none"]
    stage, _ = told(GPU)
    ant = stage.deploy("ant", gpu=1, compute=BOTH)
    stage.tell(DevicesSeen(()))
    name = stage.send(ant)
    stage.play(5)
    assert isinstance(stage.ended[name].outcome, Ok)
    assert computed(stage) == ["none"]


def test_what_waits_for_a_device_that_disappears_goes_without_if_it_may() -> None:
    for on in (GPU, BOTH):
        stage, dispatcher = told(on)
        ant = stage.deploy("ant", gpu=1, compute=BOTH)
        first, second, third = (stage.send(ant) for _ in range(3))
        stage.play(0.15)
        stage.tell(DevicesSeen(()))
        stage.play(5)
        lost = [name for name in (first, second, third) if not isinstance(stage.ended[name].outcome, Ok)]
        assert lost == [first]
        assert stage.failure(first).code == "sandbox_lost"
        stage.send(ant)
        assert dispatcher.heard.count(("ant", Compute.GPU)) == (1 if on is GPU else 0)


def test_a_new_revision_and_a_deletion_take_the_twin_along() -> None:
    stage, _ = told(GPU)
    old = stage.deploy("ant", gpu=1, compute=BOTH)
    running, waiting = stage.send(old), stage.send(old)
    stage.play(0.15)
    new = stage.deploy("ant", 2, gpu=1, compute=BOTH)
    later = stage.send(new)
    stage.play(5)
    assert all(isinstance(stage.ended[name].outcome, Ok) for name in (running, waiting, later))
    assert stage.core.catalogue.states.keys() == {"ant@2", "ant@2/gpu"}
    stage.deploy("ant", 2, gpu=1, compute=BOTH, max_sandboxes=3)
    assert stage.core.catalogue.states["ant@2/gpu"].revision.settings.max_sandboxes == 3
    stage.delete("ant")
    stage.play(5)
    assert not stage.core.functions
    assert not stage.core.catalogue.states
