import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from attacca.worker.runtime.kubernetes import watch
from attacca.worker.runtime.kubernetes.facts import Pod
from attacca.worker.runtime.kubernetes.watch import Pods
from tests.logged import Logged
from tests.worker.runtime.kubernetes.twin import Cluster, Desk, failure

PODS = "/api/v1/namespaces/default/pods"


class Ear:
    """What is heard of pods. After each pause that is made between two tries `then` is called with how many there were;
    what it says last ends the watch."""

    def __init__(self, cluster: Cluster, desk: Desk | None = None) -> None:
        self.cluster = cluster
        self.heard: list[str] = []
        self.pauses: list[float] = []
        self._news = asyncio.Event()
        self.pods = Pods(desk or Desk(cluster), PODS, "attacca/worker=w", self._hear, self._gone, self._nap)

    def _hear(self, pod: Pod) -> None:
        self._say(f"{pod.metadata.name} {pod.status.phase}")

    def _gone(self, name: str) -> None:
        self._say(f"{name} gone")

    def _say(self, text: str) -> None:
        self.heard.append(text)
        self._news.set()

    async def _nap(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._news.set()
        await asyncio.sleep(0)

    async def until(self, is_it: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not is_it():
                self._news.clear()
                await self._news.wait()


@contextlib.asynccontextmanager
async def following(ear: Ear) -> Any:
    task = asyncio.create_task(ear.pods.follow())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def pod(name: str, worker: str = "w") -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"attacca/worker": worker}}}


def create(cluster: Cluster, name: str, worker: str = "w") -> None:
    assert cluster.answer("POST", PODS, {}, pod(name, worker)).status == 201


def delete(cluster: Cluster, name: str) -> None:
    assert cluster.answer("DELETE", f"{PODS}/{name}", {}, None).status == 200


def test_what_is_there_and_what_happens_is_heard_once() -> None:
    async def main() -> None:
        cluster = Cluster()
        create(cluster, "a")
        create(cluster, "b", worker="other")
        ear = Ear(cluster)
        assert repr(ear.pods) == "<Pods 0 known, version none>"
        async with following(ear):
            await ear.until(lambda: len(ear.heard) == 1)
            create(cluster, "c")
            cluster.patch_pod("a", {"phase": "Running"})
            cluster.patch_pod("b", {"phase": "Running"})
            delete(cluster, "c")
            await ear.until(lambda: len(ear.heard) == 5)
        assert ear.heard == ["a Pending", "c Pending", "a Running", "c Pending", "c gone"]
        assert [path for _, path in cluster.asked].count(PODS) == 4, "three that create, and one list"
        assert repr(ear.pods) == "<Pods 1 known, version 107>"

    asyncio.run(main())


def test_a_list_comes_in_pages(monkeypatch: Any) -> None:
    monkeypatch.setattr(watch, "PAGE", "2")

    async def main() -> None:
        cluster = Cluster()
        for number in range(5):
            create(cluster, f"p{number}")
        ear = Ear(cluster)
        async with following(ear):
            await ear.until(lambda: len(ear.heard) == 5)

    asyncio.run(main())


def test_after_a_watch_that_is_too_old_what_is_gone_is_told() -> None:
    async def main() -> None:
        cluster = Cluster()
        create(cluster, "a")
        create(cluster, "b")
        desk, ear = Breaking(cluster), Ear(cluster)
        ear = Ear(cluster, desk)
        async with following(ear):
            await ear.until(lambda: len(ear.heard) == 2)
            desk.is_broken = True
            delete(cluster, "a")
            create(cluster, "c")
            cluster.forget()
            desk.is_broken = False
            await ear.until(lambda: "a gone" in ear.heard)
        assert ear.heard == ["a Pending", "b Pending", "b Pending", "c Pending", "a gone"]

    asyncio.run(main())


class Breaking(Desk):
    """Each watch ends after one event, and says nothing while `is_broken`."""

    is_broken = False

    async def stream(self, path: str, *, quiet_s: float, **query: str) -> Any:
        async for line in super().stream(path, quiet_s=quiet_s, **query):
            if not self.is_broken:
                yield line
            return


def test_a_watch_that_ends_goes_on_where_it_ended() -> None:
    async def main() -> None:
        cluster = Cluster()
        desk = Breaking(cluster)
        ear = Ear(cluster, desk)
        async with following(ear):
            for number in range(3):
                create(cluster, f"p{number}")
            await ear.until(lambda: len(ear.heard) == 3)
        assert ear.heard == ["p0 Pending", "p1 Pending", "p2 Pending"]
        assert [asked for asked in cluster.asked if asked == ("GET", PODS)] == [("GET", PODS)]

    asyncio.run(main())


class Saying(Desk):
    """The first watches say these bytes."""

    def __init__(self, cluster: Cluster, *said: bytes) -> None:
        super().__init__(cluster)
        self._said = list(said)

    async def stream(self, path: str, *, quiet_s: float, **query: str) -> Any:
        if self._said:
            yield self._said.pop(0)
            return
        async for line in super().stream(path, quiet_s=quiet_s, **query):
            yield line


def test_nonsense_is_listed_away(logged: Logged) -> None:
    said = (
        b"{\n", b"[]\n", b'{"type":"ADDED","object":{}}\n', b'{"type":"ADDED","object":{"metadata":{"name":3}}}\n',
        b'{"type":"WHAT","object":{}}\n', b"\xff\n", b"x" * ((4 << 20) + 1),
    )  # fmt: skip

    async def main() -> None:
        cluster = Cluster()
        ear = Ear(cluster, Saying(cluster, *said))
        async with following(ear):
            await ear.until(lambda: len(ear.pauses) == len(said))
            create(cluster, "a")
            await ear.until(lambda: ear.heard == ["a Pending"])
        assert len(ear.pauses) == len(said)

    asyncio.run(main())
    assert [one.partition(":")[0] for one in logged.messages] == ["pods are not watched just now"]


def test_who_refuses_is_asked_more_and_more_seldom() -> None:
    async def main() -> None:
        cluster = Cluster()
        answers = [failure(code, "x", "no") for code in (500, 401, 403, 429, 503)]
        cluster.admit = lambda *_: answers.pop(0) if answers else None
        ear = Ear(cluster)
        async with following(ear):
            await ear.until(lambda: not answers and len(ear.pauses) == 5)
            create(cluster, "a")
            await ear.until(lambda: bool(ear.heard))
        assert ear.pauses == [0.1, 0.2, 0.4, 0.8, 1.6]

    asyncio.run(main())


def test_a_watch_that_ends_at_once_is_not_begun_without_end() -> None:
    async def main() -> None:
        cluster = Cluster()
        desk = Saying(cluster, *[b""] * 4)
        ear = Ear(cluster, desk)
        async with following(ear):
            await ear.until(lambda: len(ear.pauses) == 3)
        assert ear.pauses == [0.1, 0.2, 0.4]

    asyncio.run(main())


def test_a_bookmark_says_how_far_one_is() -> None:
    async def main() -> None:
        cluster = Cluster()
        mark = b'{"type":"BOOKMARK","object":{"kind":"Pod","metadata":{"resourceVersion":"100"}}}\n'
        ear = Ear(cluster, Saying(cluster, mark))
        async with following(ear):
            create(cluster, "a")
            await ear.until(lambda: bool(ear.heard))
        assert ear.pauses == []

    asyncio.run(main())
