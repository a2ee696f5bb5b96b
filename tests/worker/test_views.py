"""What a live worker's policies are told, against a recount of its core's state at every decision."""

import asyncio

import msgspec
import pytest

from attacca.gateway.core.workers import WorkerHandle
from attacca.kernel.rand import Streams
from attacca.kernel.registry import Choice
from attacca.model.messages import Deployed
from attacca.model.resources import total
from attacca.worker.config import WorkerConfig
from attacca.worker.core import view
from attacca.worker.core.phases import Phase
from attacca.worker.core.worker import WorkerCore
from tests.worker.recount import Recount
from tests.worker.stage import revision
from tests.worker.test_driver import QUICK, House, story

FUNCTIONS = [
    revision("ant", concurrency=2, application="nest"),
    revision("bee", memory_mb=250, trigger="timer"),
    revision("cat", max_sandboxes=2),
]
SLOW = msgspec.structs.replace(QUICK, run_ms=2.0)
CONFIG = WorkerConfig(
    memory_mb=600,
    keepalive=Choice(policy="greedy_dual"),
    queueing=Choice(policy="minheap"),
    concurrency=Choice(policy="aimd", options={"count": 3, "check_s": 0.001}),
)


def look_as_a_gateway_does(core: WorkerCore) -> None:
    told = view.of(core, 0.0)
    link = WorkerHandle(told.name, 0.0)
    link.hear(5.0, told)
    held = total(one.resources for one in core.pool.sandboxes.values())
    held += total(one.resources for one in core.pool.templates.values())
    assert (link.name, link.heard_at, link.is_draining) == (core.config.name, 5.0, core.draining)
    assert (link.capacity, link.cores, link.limit) == (core.config.resources, core.config.cores, core.scheduler.limit)
    assert link.free == core.config.resources - held
    for name in core.functions:
        there = [one for one in core.pool.sandboxes.values() if one.state.function.name == name]
        assert link.idle(name) == sum(one.phase is Phase.IDLE for one in there)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2))
def test_every_field_is_what_is_so(seed: int) -> None:
    recounts: list[Recount] = []

    async def play(house: House) -> None:
        core, chance = house.worker.core, Streams(seed).stream("calls")
        recount = Recount(core)
        recounts.append(recount)
        house.worker._drive._handle = recount.wrap(core.handle)
        for number, one in enumerate(FUNCTIONS):
            house.worker.receive("control", Deployed(2 + number, one))
        for number in range(60):
            house.send(f"{number}", chance.choice(FUNCTIONS))
            look_as_a_gateway_does(core)
            if chance.random() < 0.5:
                await asyncio.sleep(0)
        for number in range(60):
            await house.ended(f"{number}")
        look_as_a_gateway_does(core)

    story(play, SLOW, CONFIG)
    assert all(recounts[0].looks[name] for name in ("idle", "known", "house", "waiting"))
