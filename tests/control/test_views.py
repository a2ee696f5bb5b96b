import asyncio

from msgspec.structs import replace

from attacca.control.views import Question, Views
from attacca.kernel.clock import ManualClock
from attacca.model.invocation import Call, Timing
from attacca.model.journals import CallTold
from attacca.model.messages import AskCalls, AskStory, AskView, CallsTold, StoryTold, Viewed
from attacca.model.resources import Resources
from attacca.model.sandbox import WorkerView
from attacca.model.story import Moment

ONE = WorkerView(name="w1", capacity=Resources(1), used=Resources(0), queued=0, running=0, limit=1)
TWO = WorkerView(name="w2", capacity=Resources(2), used=Resources(0), queued=0, running=0, limit=1)


def test_each_worker_is_asked_and_who_is_lost_has_nothing_to_show() -> None:
    async def main() -> None:
        sent: list[tuple[str, Question | CallTold]] = []
        views = Views(lambda peer, message: sent.append((peer, message)), ManualClock(), ["w1", "w2", "w3"])
        asking = asyncio.create_task(views.workers("echo"))
        await asyncio.sleep(0)
        assert sent == [(f"w{number}", AskView(str(number), "echo")) for number in (1, 2, 3)]
        assert repr(views) == "<Views: 3 of 3 asked for>"
        views.hear(Viewed(sent[1][1].id, TWO))
        views.hear(Viewed(sent[1][1].id, ONE))
        views.lose("w3")
        views.hear(Viewed("unknown", TWO))
        views.hear(Viewed(sent[0][1].id, ONE))
        assert await asking == [ONE, TWO]
        assert repr(views) == "<Views: 0 of 3 asked for>"

    asyncio.run(main())


def test_a_story_is_what_each_of_them_has_seen() -> None:
    moment = Moment(5.0, "w1", "sandbox ready")

    async def main() -> None:
        sent: list[tuple[str, Question | CallTold]] = []
        views = Views(lambda peer, message: sent.append((peer, message)), ManualClock(), ["w1"], ["g1"])
        asking = asyncio.create_task(views.story("s1"))
        await asyncio.sleep(0)
        assert sent == [("g1", AskStory("1", "s1")), ("w1", AskStory("2", "s1"))]
        views.hear(StoryTold("1", (moment,)))
        views.lose("w1")
        assert await asking == [moment]

    asyncio.run(main())


def test_calls_of_several_gateways_are_told_the_latest_first() -> None:
    def call(name: str, at: float) -> Call:
        return Call(
            id=name, function="f", revision=1, at=at, status=200, outcome="ok", start=None, why="", sandbox="",
            timing=Timing(), total_ms=1.0,
        )  # fmt: skip

    one, two, three = call("1", 1.0), call("2", 2.0), call("3", 3.0)

    async def main() -> None:
        sent: list[tuple[str, Question | CallTold]] = []
        views = Views(lambda peer, message: sent.append((peer, message)), ManualClock(), (), ["g1", "g2"])
        asking = asyncio.create_task(views.calls(None, 2))
        await asyncio.sleep(0)
        assert sent == [("g1", AskCalls("1", "", 2)), ("g2", AskCalls("2", "", 2))]
        views.hear(CallsTold("1", (three, one)))
        views.hear(CallsTold("2", (two,)))
        assert await asking == [replace(three, gateway="g1"), replace(two, gateway="g2")]

    asyncio.run(main())
