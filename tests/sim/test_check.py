"""The checks themselves are checked: each notices what was broken on purpose."""

from collections.abc import Callable

import pytest

from attacca.gateway.core.events import Command, Event
from attacca.gateway.core.gateway import GatewayCore
from attacca.gateway.core.workers import WorkerHandle
from attacca.load.workload.scenario import Distribution
from attacca.model.function import Revision
from attacca.model.invocation import Invocation
from attacca.model.messages import Ended
from attacca.model.resources import Resources
from attacca.sim.platform.gateway import Broken
from attacca.worker.core.pool import Pool
from attacca.worker.core.scheduler import Scheduler
from attacca.worker.runtime.simulated import Instance, SimulatedRuntime
from tests.sim.play import function, play, scenario
from tests.written import as_written

Break = Callable[[pytest.MonkeyPatch], None]


def run() -> None:
    plan = function(rate=20.0, duration=Distribution(kind="exponential", mean_ms=100.0), memory_mb=100)
    play(scenario(plan, length_s=10.0, memory_mb=300, idle_s=0.1), checks="touched")


def lose_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    handle = GatewayCore.handle

    def forgetful(core: GatewayCore, now: float, event: Event) -> list[Command]:
        if isinstance(event, Ended) and event.id == "7":
            del core.inflight[event.id]
            return []
        return handle(core, now, event)

    monkeypatch.setattr(GatewayCore, "handle", forgetful)


def miscount_at_the_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WorkerHandle, "queued", property(lambda _: 1, lambda *_: None))


def forget_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pool, "_reserve", lambda pool, now, asked: None)


def hold_less_than_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    remove = SimulatedRuntime._remove

    def twice(runtime: SimulatedRuntime, instance: Instance) -> None:
        remove(runtime, instance)
        runtime.held -= Resources(1)

    monkeypatch.setattr(SimulatedRuntime, "_remove", twice)


def miscount(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scheduler, "recount", lambda scheduler, state: setattr(scheduler, "claims", -1))


def run_less_than_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    run = SimulatedRuntime.run

    def twice(runtime: SimulatedRuntime, sandbox: str, revision: Revision, invocation: Invocation) -> None:
        run(runtime, sandbox, revision, invocation)
        runtime.running -= 1

    monkeypatch.setattr(SimulatedRuntime, "run", twice)


def overtake(monkeypatch: pytest.MonkeyPatch) -> None:
    from attacca.policy.queueing.fcfs import Fcfs

    monkeypatch.setattr(Fcfs, "key", lambda policy, item: -item.arrived)


BREAKS = [
    *(lose_an_answer, miscount_at_the_gateway, forget_memory, hold_less_than_is_held, run_less_than_is_told),
    *(miscount, overtake),
]


@as_written
@pytest.mark.parametrize("break_it", BREAKS)
def test_what_is_broken_is_noticed(break_it: Break, monkeypatch: pytest.MonkeyPatch) -> None:
    run()
    break_it(monkeypatch)
    with pytest.raises((AssertionError, Broken)):
        run()
