"""The laws of a worker's life on one with devices, which come and go: what holds, holds, and all ends once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.kernel.rand import Streams
from attacca.model.accelerators import Compute
from attacca.model.machine import Device
from attacca.policy.dispatch import DISPATCH
from attacca.policy.keepalive.lru import Lru
from attacca.policy.queueing import QUEUEING
from attacca.worker.config import AcceleratorsConfig, WorkerConfig
from attacca.worker.core.events import Drain
from attacca.worker.core.reports import DevicesSeen
from attacca.worker.runtime.scripted import Times
from tests.drawing import Every, several
from tests.worker.core.test_life import NAMES, Act, Theatre, answer, has_ended
from tests.worker.stage import Stage

EITHER = (Compute.CPU, Compute.GPU)
DEVICES = ("0", "1")
SHAPES: tuple[dict[str, object], ...] = (
    {"memory_mb": 32},
    {"memory_mb": 64, "gpu": 0.5, "concurrency": 2},
    {"memory_mb": 96, "gpu": 2, "max_sandboxes": 1},
    {"memory_mb": 32, "gpu": 1, "min_sandboxes": 1},
    {"memory_mb": 64, "gpu": 0.25, "gpu_memory_mb": 600, "compute": EITHER},
    {"memory_mb": 32, "gpu": 1, "compute": EITHER, "max_sandboxes": 2},
    {"memory_mb": 32, "gpu": 0.5, "gpu_memory_mb": 1500},
)
KINDS = (
    *["send"] * 6,
    *["play"] * 4,
    *["withdraw", "deploy", "deploy", "delete", "crash", "harm", "mend", "evict", "prewarm", "catalogue"],
    *["look"] * 2,
)
ACTS = several(Every(Act, kind=KINDS, which=range(5), much=range(7)), max_size=40)


class OnDevices(Theatre):
    def deploy(self, name: str, act: Act) -> None:
        self.numbers[name] += 1
        shape = SHAPES[(act.which + act.much) % len(SHAPES)]
        self.revisions[name] = self.stage.deploy(name, self.numbers[name], **shape)

    def withdraw(self, _: str, act: Act) -> None:
        items = [item.id for item in self.stage.core.lines.items()]
        if items:
            self.stage.withdraw(items[act.much % len(items)], running=act.which % 2 == 0)

    def look(self, _: str, act: Act) -> None:
        self.stage.tell(DevicesSeen(tuple(name for number, name in enumerate(DEVICES) if act.which >> number & 1)))


def stage_of(queueing: str, dispatch: str, at_once: int) -> Stage:
    devices = tuple(Device(name=name, memory_mb=1000) for name in DEVICES)
    return Stage(
        WorkerConfig(memory_mb=300, accelerators=AcceleratorsConfig(devices=devices, at_once=at_once)),
        limit=2,
        times=Times(sandbox_ms=10, code_ms=10, imports_ms=50, fork_ms=10, run_ms=30, kill_ms=7),
        handler=answer,
        keepalive=Lru(),
        on_devices=QUEUEING[queueing](),
        dispatcher=DISPATCH[dispatch]().fresh(Streams(1).stream("dispatch")),
    )


@pytest.mark.long
@given(
    ACTS,
    st.sampled_from(sorted(QUEUEING)),
    st.sampled_from(sorted(DISPATCH)),
    st.integers(1, 2),
    st.booleans(),
)
def test_everything_ends_once(acts: list[Act], queueing: str, dispatch: str, at_once: int, drains: bool) -> None:  # noqa: FBT001 - drawn
    stage = stage_of(queueing, dispatch, at_once)
    theatre = OnDevices(stage)
    theatre.play(acts)
    if drains:
        stage.tell(Drain())
        stage.play(30)
    else:
        stage.tell(DevicesSeen(DEVICES))
        theatre.finish()
    assert has_ended(stage)
    assert not stage.core.lines.both
    assert {name.partition("/")[0] for name in stage.core.functions} <= set(NAMES)
