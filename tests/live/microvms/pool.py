"""Machines that were restored ahead: they stand still, are each one's own, and are made again."""

import asyncio
import os
import signal
from pathlib import Path

import msgspec
import pytest

from attacca.worker.runtime.microvm.housed import Housed
from attacca.worker.runtime.microvm.options import MicroVmOptions
from tests.live.microvms.monitors import fake, usual
from tests.live.microvms.subject import BOOT_S, MicroVmSubject
from tests.live.microvms.survival import OWN, answer, opened, state, written

__all__ = ["fake", "state", "usual"]  # pytest's fixtures


def waiting(subject: MicroVmSubject) -> list[Housed]:
    return [one for one in subject.runtime._housed.values() if one.is_restored and one.sandbox is None]


async def until_waiting(subject: MicroVmSubject, count: int) -> list[Housed]:
    async with asyncio.timeout(BOOT_S):
        while len(waiting(subject)) < count:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0.01)
    return waiting(subject)


def test_one_that_waits_is_handed_out_first_and_another_is_restored(state: Path, usual: MicroVmOptions) -> None:
    async def main() -> None:
        async with opened(state, msgspec.structs.replace(usual, pool=2)) as (subject, seen):
            own = written(subject, "own", OWN)
            template = await seen.template(own)
            first, second = await until_waiting(subject, 2)
            sandboxes = [await seen.sandbox(own, template) for _ in range(3)]
            housed = subject.runtime._housed
            assert {housed[sandboxes[0]], housed[sandboxes[1]]} == {first, second}
            told = [await answer(seen, sandbox, own) for sandbox in sandboxes]
            answers = msgspec.convert(told, list[dict[str, str | float | int]])
            for name in ("random", "uuid", "ssl"):
                assert len({one[name] for one in answers}) == 3, name
            now = subject.clock.wall()
            assert all(now - BOOT_S < float(one["at"]) <= now + 1 for one in answers)
            killed = (await until_waiting(subject, 2))[0]
            os.kill(killed.vm.process.pid, signal.SIGKILL)
            async with asyncio.timeout(BOOT_S):
                while killed in subject.runtime._housed.values():  # noqa: ASYNC110 - nobody is told
                    await asyncio.sleep(0.01)
            await answer(seen, await seen.sandbox(own, template), own)
            for sandbox in sandboxes:
                seen.kill(sandbox)
                await seen.gone(sandbox)
            subject.runtime.drop_template(template)
            async with asyncio.timeout(BOOT_S):
                while waiting(subject):  # noqa: ASYNC110 - nobody is told
                    await asyncio.sleep(0.01)

    asyncio.run(main())


@pytest.mark.parametrize("room_mb", [0, 140])
def test_no_more_wait_than_there_is_memory_for(state: Path, usual: MicroVmOptions, room_mb: int) -> None:
    async def main() -> None:
        own = msgspec.structs.replace(usual, pool=3, pool_mb=room_mb)
        async with opened(state, own) as (subject, seen):
            of = written(subject, "own", OWN)
            template = await seen.template(of)
            assert len(subject.runtime._spares._of[template]) == min(room_mb // of.settings.resources.memory_mb, 3)
            await answer(seen, await seen.sandbox(of, template), of)

    asyncio.run(main())
