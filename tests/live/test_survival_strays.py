"""Templates that make processes behind the worker's back, lie about those that they made, or say nothing at all."""

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from attacca.guest import channel as wire
from attacca.worker.core.reports import SandboxFailed, SandboxReady, TemplateReady
from tests.live import ordinary
from tests.live.house import House, visit
from tests.live.patience import patiently

BIRTHS = 6
SOURCE = """
    import os, signal, struct, time

    def say(kind, number, payload=b""):
        os.write(4, struct.pack("<IBI", len(payload), kind, number) + payload)

    def fork(count=1):
        for _ in range(count):
            if os.fork() == 0:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                os.setsid()
                time.sleep(100)
                os._exit(0)

    def every(do, seconds=0.005):
        def ring(*_):
            try:
                do()
            except OSError:
                pass
            signal.setitimer(signal.ITIMER_REAL, seconds)
        signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, seconds)

    def lie(*kinds):
        for number in range(1, 40):
            for kind in kinds:
                say(kind, number, struct.pack("<I", 2 + number % 3))

    def handler(): return 1
"""
DEEDS = {
    "forks once at import": "fork()",
    "forks many at import": "fork(10)",
    "forks on and on": "before_template = lambda: every(fork)",
    "denies": f"before_template = lambda: every(lambda: lie({wire.REFUSED}))",
    "buries": f"before_template = lambda: every(lambda: lie({wire.ENDED}))",
    "invents": f"before_template = lambda: every(lambda: lie({wire.MADE}))",
    "says anything": f"before_template = lambda: every(lambda: lie({wire.ENDED}, {wire.MADE}, {wire.REFUSED}))",
    "has a child that lies": f"""
    if os.fork() == 0:
        while True:
            lie({wire.MADE}, {wire.REFUSED}, {wire.ENDED})
            time.sleep(0.001)""",
    "says nothing": "before_template = lambda: every(lambda: time.sleep(100))",
    "stops": "before_template = lambda: every(lambda: os.kill(os.getpid(), signal.SIGSTOP))",
}


def below(pid: int) -> list[int]:
    try:
        found = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [*found, *(deeper for one in found for deeper in below(one))]


def left(house: House) -> dict[str, Any]:
    runtime = house.runtime
    zygote = runtime._zygotes.indoors.fork_client
    assert zygote is not None
    found = {
        "processes": below(zygote.lineage.pid),
        "children": runtime._processes,
        "births": runtime._births,
        "sandboxes": runtime._sandboxes,
        "templates": runtime._templates,
        "users": runtime.common.users._taken,
        "groups": [group for group in runtime._leftovers._groups if set(group.processes()) - {zygote.lineage.pid}],
        "known": zygote.lineage._known,
        "bytes": runtime._frames.held,
    }
    return {name: one for name, one in found.items() if one}


@pytest.mark.parametrize("deed", DEEDS)
def test_all_that_it_made_is_gone_with_it_and_every_birth_has_an_end(deed: str) -> None:
    async def story(house: House) -> None:
        revision = house.function(f"{SOURCE}\n    {DEEDS[deed]}\n")
        told = await house.template(revision)
        if isinstance(told, TemplateReady):
            for number in range(BIRTHS):
                house.runtime.make_sandbox(f"birth{number}", revision, told.template)
            for number in range(BIRTHS):
                name = f"birth{number}"
                report = await house.until(lambda r: getattr(r, "sandbox", "") == name)  # noqa: B023 - awaited here
                assert isinstance(report, SandboxReady | SandboxFailed)
                house.runtime.kill(name)
            house.runtime.drop_template(told.template)
        await house.quiet(lambda: left(house))
        sandbox = await house.sandbox(house.function("def handler(): return 1"))
        house.runtime.kill(sandbox)
        await house.quiet(lambda: left(house))

    visit(story, start_timeout_s=patiently(2.0), processes=64)


def test_a_template_that_goes_in_the_middle_of_births_ends_them_all() -> None:
    async def story(house: House) -> None:
        for turn in range(5):
            revision = house.function("def handler(): return 1")
            told = await house.template(revision)
            for number in range(BIRTHS):
                house.runtime.make_sandbox(f"birth{turn}-{number}", revision, told.template)
            for _ in range(turn):
                await asyncio.sleep(0)
            house.runtime.drop_template(told.template)
            for number in range(BIRTHS):
                house.runtime.kill(f"birth{turn}-{number}")
            await house.quiet(lambda: left(house))

    visit(story)


@pytest.mark.skipif(os.geteuid() != 0, reason="already an ordinary user")
def test_all_of_this_holds_for_an_ordinary_user_too() -> None:
    ordinary.run_again(__file__)
