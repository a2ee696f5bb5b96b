import asyncio

from attacca.control.asking import Asking
from attacca.errors import SandboxLost
from attacca.kernel.ids import Ids
from attacca.kernel.rand import Streams
from attacca.model.messages import AskView, Check, Checked, FromControl, Viewed
from attacca.model.sandbox import WorkerView
from tests.worker.stage import revision

HELLO = revision("hello")
VIEW = WorkerView(name="w1", memory_mb=1, used_mb=0, queued=0, running=0, limit=1)


class Room:
    """Control with its questions, and what workers were asked."""

    def __init__(self, *workers: str) -> None:
        self.sent: list[tuple[str, FromControl]] = []
        self.asking = Asking(lambda peer, message: self.sent.append((peer, message)), Ids(Streams(1).stream("ids")))
        for worker in workers:
            self.asking.join(worker)


def test_answers_go_to_their_questions() -> None:
    async def main() -> None:
        room = Room("w1", "w2")
        checks = asyncio.gather(room.asking.check(HELLO), room.asking.check(HELLO))
        await asyncio.sleep(0)
        assert repr(room.asking) == "<Asking 2 workers, 2 questions open>"
        asked = [message for _, message in room.sent if isinstance(message, Check)]
        for check in reversed(asked):
            room.asking.hear(Checked(check.id, HELLO, logs=check.id))
        assert [checked.logs for checked in await checks] == [check.id for check in asked]
        room.asking.hear(Checked(asked[0].id, HELLO))
        assert repr(room.asking) == "<Asking 2 workers, 0 questions open>"

    asyncio.run(main())


def test_a_worker_that_is_lost_has_answered_too() -> None:
    async def main() -> None:
        room = Room("w1", "w2")
        checked, views = asyncio.create_task(room.asking.check(HELLO)), asyncio.create_task(room.asking.views())
        await asyncio.sleep(0)
        room.asking.lose("w1", "the connection broke")
        [ask] = [message for peer, message in room.sent if peer == "w2" and isinstance(message, AskView)]
        room.asking.hear(Viewed(ask.id, VIEW))
        error = (await checked).error
        assert error is not None
        assert (error.code, "the connection broke" in error.message) == (SandboxLost.code, True)
        assert await views == [VIEW]

    asyncio.run(main())


def test_without_a_worker_nothing_is_checked() -> None:
    error = asyncio.run(Room().asking.check(HELLO)).error
    assert error is not None
    assert error.code == "no_capacity"
