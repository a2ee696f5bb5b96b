import asyncio

from attacca.control.views import Views
from attacca.model.messages import AskStory, AskView, StoryTold, Viewed
from attacca.model.resources import Resources
from attacca.model.sandbox import WorkerView
from attacca.model.story import Moment

ONE = WorkerView(name="w1", capacity=Resources(1), used=Resources(0), queued=0, running=0, limit=1)
TWO = WorkerView(name="w2", capacity=Resources(2), used=Resources(0), queued=0, running=0, limit=1)


def test_each_worker_is_asked_and_who_is_lost_has_nothing_to_show() -> None:
    async def main() -> None:
        sent: list[tuple[str, AskView | AskStory]] = []
        views = Views(lambda peer, message: sent.append((peer, message)))
        asking = asyncio.create_task(views.ask(["w1", "w2", "w3"]))
        await asyncio.sleep(0)
        assert [peer for peer, _ in sent] == ["w1", "w2", "w3"]
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
        sent: list[tuple[str, AskView | AskStory]] = []
        views = Views(lambda peer, message: sent.append((peer, message)))
        asking = asyncio.create_task(views.story(["w1", "w2"], "s1"))
        await asyncio.sleep(0)
        assert sent == [("w1", AskStory("1", "s1")), ("w2", AskStory("2", "s1"))]
        views.hear(StoryTold("1", (moment,)))
        views.lose("w2")
        assert await asking == [moment]

    asyncio.run(main())
