import asyncio
from collections.abc import Callable

from attacca.kernel.clock import ManualClock
from attacca.worker.awake import Awake
from attacca.worker.core.vigil import Vigil

WATCH_S = 1e-3


async def turns_until(is_so: Callable[[], bool]) -> int:
    """Turns of the loop, which has nothing else to do."""
    count = 0
    while not is_so():
        await asyncio.sleep(0)
        count += 1
    return count


def story(play: Callable[[Awake, ManualClock], None]) -> list[str]:
    """What it says of itself after the play, and once it has come to rest."""

    async def main() -> list[str]:
        clock = ManualClock(5.0)
        awake = Awake(Vigil(WATCH_S), clock.now)
        play(awake, clock)
        first = repr(awake)
        await asyncio.sleep(0)
        clock.time += 2 * WATCH_S
        await turns_until(lambda: "turning=False" in repr(awake))
        return [first, repr(awake)]

    return asyncio.run(main())


def test_it_turns_until_what_it_awaits_is_overdue() -> None:
    before, after = story(lambda awake, _: awake.handed("f", 1))
    assert before == "<Awake turning=True, <Vigil awake, credit 32 of 32, 0 slow>>"
    assert after == "<Awake turning=False, <Vigil asleep, credit 31 of 32, 1 slow>>"


def test_it_turns_once_whatever_it_is_told() -> None:
    def play(awake: Awake, clock: ManualClock) -> None:
        for _ in range(5):
            awake.handed("f", 1)
            clock.time += WATCH_S / 2
            awake.answered("f", 0)

    async def main() -> None:
        loop, clock = asyncio.get_running_loop(), ManualClock(5.0)
        count = 0

        def now() -> float:
            nonlocal count
            count += 1
            return clock.time

        awake = Awake(Vigil(WATCH_S), now)
        play(awake, clock)
        told = count
        await asyncio.sleep(0)
        assert count == told + 1
        clock.time += 2 * WATCH_S
        await turns_until(lambda: "turning=False" in repr(awake))
        assert loop.is_running()

    asyncio.run(main())


def test_of_several_it_awaits_none() -> None:
    assert story(lambda awake, _: awake.handed("f", 2)) == 2 * [
        "<Awake turning=False, <Vigil asleep, credit 32 of 32, 0 slow>>"
    ]


def test_the_reply_of_an_instance_is_awaited_and_then_its_next_call() -> None:
    def play(awake: Awake, clock: ManualClock) -> None:
        awake.called("w.a.1")
        clock.time += WATCH_S / 2
        awake.replied("w.b.1")
        awake.replied("w.a.1")

    before, after = story(play)
    assert before == "<Awake turning=True, <Vigil awake, credit 32 of 32, 0 slow>>"
    assert after == "<Awake turning=False, <Vigil asleep, credit 31 of 32, 0 slow>>", "it was in time: it need not rest"
