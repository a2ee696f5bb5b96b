"""Sandboxes that say half of something, or the same for ever: the server holds little of it, and hears others."""

import asyncio
import http.client
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from attacca.guest import channel as wire
from attacca.guest import link
from attacca.model.invocation import Ok
from tests.live import ordinary
from tests.live.house import House, visit
from tests.live.patience import Later, patiently
from tests.live.whole import Whole, resident_mb, running

HALF_SAYERS, LARGEST_MB = 16, 16
HALF = f"""
    import os, struct, time

    def handler():
        size = {LARGEST_MB} << 20
        data = memoryview(struct.pack("<IBI", size, {wire.RESULT}, 1) + bytes(size // 2))
        while data:
            data = data[os.write(4, data):]
        time.sleep(60)
"""
LARGE = f"def handler(): return b'x' * ({LARGEST_MB - 1} << 20)"


def test_half_said_frames_cost_no_more_than_a_functions_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does a second function miss what the first one holds; and who does not go on is ended."""
    monkeypatch.setattr(link, "STALL_S", patiently(1.0))

    async def story(house: House) -> None:
        budget = house.runtime._frames
        half, large = house.function(HALF, memory_mb=96), house.function(LARGE, memory_mb=128)
        sayers = [await house.sandbox(half) for _ in range(HALF_SAYERS)]
        teller = await house.sandbox(large)
        before = resident_mb(os.getpid())
        saying = [asyncio.create_task(house.run(sandbox, half)) for sandbox in sayers]
        await house.quiet(lambda: budget.of(half.function) == 0)
        for _ in range(3):
            outcome = await house.run(teller, large)
            assert isinstance(outcome, Ok)
            assert len(outcome.body) == (LARGEST_MB - 1) << 20
            assert budget.of(half.function) <= budget.share
            assert resident_mb(os.getpid()) - before < (budget.share >> 20) + 6 * LARGEST_MB
        for sandbox in sayers:
            house.runtime.kill(sandbox)
        await asyncio.wait(saying)
        await house.quiet(lambda: budget.of(half.function))

    visit(story, max_response_mb=LARGEST_MB)


def test_whoever_does_not_go_on_is_ended_and_so_are_those_that_waited_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "STALL_S", 0.3)

    async def story(house: House) -> None:
        half = house.function(HALF, memory_mb=96)
        sayers = [await house.sandbox(half) for _ in range(HALF_SAYERS)]
        for sandbox in sayers:
            asyncio.get_running_loop().create_task(house.run(sandbox, half))
        said = [(await house.gone(sandbox)).message for sandbox in sayers]
        stopped = [one for one in said if "stopped in the middle of a frame" in one]
        assert len(stopped) > HALF_SAYERS / 2, "some may see that nobody listens, and end by themselves first"
        await house.quiet(lambda: house.runtime._frames.held)

    visit(story, max_response_mb=LARGEST_MB)


FLOODER = """
    import os, time

    def flooder(first="", raw="", s=1.5):
        def say(data):
            while data:
                data = data[os.write(4, data):]
        say(first.encode("latin-1"))
        until, data = time.monotonic() + s, raw.encode("latin-1") * (60000 // len(raw))
        while time.monotonic() < until:
            say(data)
        return "well"
"""


def frame(kind: int, number: int, payload: bytes = b"") -> str:
    return (wire.HEAD.pack(len(payload), kind, number) + payload).decode("latin-1")


HEAD = wire.RESULT_HEAD.pack(1.0, 200, 0, 0)
STREAM = frame(wire.RESPONSE_HEAD, 1, HEAD)
FLOODS = {
    "tiny logs": ("", frame(wire.LOG, 0, b"\0")),
    "logs of a line": ("", frame(wire.LOG, 1, b"\6stdout" + b"x" * 80 + b"\n")),
    "large logs": ("", frame(wire.LOG, 1, b"\6stdout" + b"x" * 50_000)),
    "bodies without content": (STREAM, frame(wire.RESPONSE_BODY, 1)),
    "bodies of a byte": (STREAM, frame(wire.RESPONSE_BODY, 1, b"x")),
    "large bodies": (STREAM, frame(wire.RESPONSE_BODY, 1, b"x" * 50_000)),
    "nothing of ours": ("", frame(0, 0)),
    "readiness": ("", frame(wire.READY, 0, b'{"sandbox_ms":1,"code_ms":1,"imports_ms":1}')),
    "failures": ("", frame(wire.FAILED, 0, b'{"code":"bad_function","message":""}')),
    "past our capture": None,
}
FLOODERS = 4


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with running(tmp_path_factory.mktemp("whole") / "state") as one:
        assert one.is_well()
        one.function("flooder", FLOODER)
        one.function("shouter", "import os\n" + SHOUTER)
        yield one
        assert one.is_well()
        assert "Traceback" not in one.said


SHOUTER = """
import time

def shouter(s=1.5):
    until = time.monotonic() + s
    while time.monotonic() < until:
        os.write(1, b"x" * 60000)
    return "well"
"""


def answered(whole: Whole, name: str, payload: object) -> int:
    try:
        return whole.call(name, payload, wait_s=120).status
    except http.client.IncompleteRead:
        return 0  # its head was out already


@pytest.mark.parametrize("what", FLOODS)
def test_while_some_flood_another_is_answered(whole: Whole, what: str) -> None:
    flood, before = FLOODS[what], resident_mb(whole.pid)
    name, payload = ("flooder", {"first": flood[0], "raw": flood[1]}) if flood is not None else ("shouter", {})
    flooding = [Later(lambda: answered(whole, name, payload)) for _ in range(FLOODERS)]
    rounds, most = 0, 0.0
    while any(one.is_alive() for one in flooding):
        assert whole.call("bystander", {"n": 41}).value == 42
        rounds, most = rounds + 1, max(most, resident_mb(whole.pid))
    assert rounds > 0
    assert most - before < 128, "little is held of it"
    assert {one.result() for one in flooding} <= {0, 200, 502}


@pytest.mark.skipif(os.geteuid() != 0, reason="already an ordinary user")
def test_all_of_this_holds_for_an_ordinary_user_too() -> None:
    ordinary.run_again(Path(__file__))
