import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from attacca.errors import StartFailed
from attacca.worker.runtime.kubernetes import reach
from attacca.worker.runtime.kubernetes.standing import MOST_CALLERS, RIGHTS, Standing
from tests.logged import Logged
from tests.worker.runtime.kubernetes.twin import Cluster, Desk, failure

CORE = "/api/v1/namespaces/default"


class Naps:
    def __init__(self) -> None:
        self.made: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.made.append(seconds)
        await asyncio.sleep(0)


def standing(cluster: Cluster, run: str = "r1", naps: Naps | None = None) -> Standing:
    return Standing(Desk(cluster), "default", "w", run, partial(reach.callers, None, ""), naps or Naps())


def put(cluster: Cluster, kind: str, name: str, *, owner: str = "", uid: str = "", labels: Any = None) -> None:
    api, what = ("v1", {"pods": "Pod", "configmaps": "ConfigMap", "secrets": "Secret"}[kind])
    owners = [{"apiVersion": "v1", "kind": "ConfigMap", "name": owner, "uid": uid}] if owner else []
    meta = {"name": name, "labels": labels or {"attacca/worker": "w"}, "ownerReferences": owners}
    told = {"apiVersion": api, "kind": what, "metadata": meta}
    assert cluster.answer("POST", f"{CORE}/{kind}", {}, told).status == 201


def test_what_stands_for_a_worker_is_made_and_goes_with_it() -> None:
    async def main() -> None:
        cluster = Cluster()
        one = standing(cluster)
        assert repr(one) == "<Standing of w, not yet>"
        await one.begin()
        owner = await one.ready()
        assert (owner.name, owner.identity, owner.run) == ("attacca-w", "w", "r1")
        assert cluster.names("configmaps") == ["attacca-w"]
        assert cluster.names("networkpolicies") == ["attacca-w-callers", "attacca-w-nat", "attacca-w-none"]
        (let_in,) = cluster.things["networkpolicies", "attacca-w-callers"]["spec"]["ingress"]
        assert let_in["from"] == [{"ipBlock": {"cidr": "10.1.0.9/32"}}]
        assert await one.still()
        assert repr(one) == "<Standing of w, up>"
        await one.end()
        assert cluster.things == {}

    asyncio.run(main())


def test_another_address_from_which_pods_are_asked_is_let_in_once() -> None:
    async def main() -> None:
        cluster, naps = Cluster(), Naps()
        one = standing(cluster, naps=naps)
        one.asks_from("10.7.0.1")  # too early: it stands for nobody
        await one.begin()
        refusals = [failure(503, "ServiceUnavailable", "etcd is away")]
        cluster.admit = lambda *_: refusals.pop() if refusals else None
        for address in ("10.1.0.9", "127.0.0.1", "", "10.7.0.1", "10.7.0.1"):
            one.asks_from(address)
        await until(lambda: cluster.names("networkpolicies")[1:2] == ["attacca-w-callers-1"])
        (let_in,) = cluster.things["networkpolicies", "attacca-w-callers-1"]["spec"]["ingress"]
        assert let_in["from"] == [{"ipBlock": {"cidr": "10.7.0.1/32"}}]
        for number in range(40):
            one.asks_from(f"10.8.0.{number}")
        await until(lambda: len(cluster.names("networkpolicies")) == 3 + MOST_CALLERS)
        await one.quiet()
        await one.end()
        assert cluster.things == {}

    asyncio.run(main())


async def until(is_it: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_it():  # noqa: ASYNC110 - of many things one
            await asyncio.sleep(0)


def test_what_a_predecessor_left_goes_and_nothing_of_others() -> None:
    async def main() -> None:
        cluster = Cluster()
        await standing(cluster, "r0").begin()
        put(cluster, "pods", "ours", owner="attacca-w", uid="of-an-older-start")
        put(cluster, "secrets", "ours", owner="attacca-w", uid="of-an-older-start")
        put(cluster, "pods", "labelled", owner="", uid="")
        put(cluster, "pods", "somebody", labels={"app": "shop"})
        put(cluster, "pods", "of-another", owner="attacca-v", uid="x", labels={"attacca/worker": "v"})
        await standing(cluster, "r1").begin()
        assert cluster.names("pods") == ["labelled", "of-another", "somebody"]
        assert cluster.names("secrets") == []
        assert cluster.names("configmaps") == ["attacca-w"]
        assert cluster.things["configmaps", "attacca-w"]["metadata"]["labels"]["attacca/run"] == "r1"

    asyncio.run(main())


def test_a_map_of_that_name_that_is_nobodys_of_ours_stays(logged: Logged) -> None:
    async def main() -> None:
        cluster = Cluster()
        put(cluster, "configmaps", "attacca-w", labels={"app": "shop"})
        naps = Naps()
        one = standing(cluster, naps=naps)
        task = asyncio.create_task(one.begin())
        with pytest.raises(StartFailed, match="that is none of a worker's"):
            await one.ready()
        task.cancel()
        assert cluster.names("configmaps") == ["attacca-w"]

    asyncio.run(main())
    assert logged.messages[0].startswith("no pod can be made just now: there is a ConfigMap attacca-w")


def test_who_may_do_nothing_is_told_what_it_needs() -> None:
    async def main() -> None:
        cluster = Cluster()
        cluster.admit = lambda method, *_: failure(403, "Forbidden", "no") if method == "POST" else None
        one = standing(cluster)
        task = asyncio.create_task(one.begin())
        with pytest.raises(StartFailed) as caught:
            await one.ready()
        assert caught.value.hint == RIGHTS
        cluster.admit = lambda *_: None  # somebody has given it the role
        await task
        assert await one.ready()

    asyncio.run(main())


def test_a_server_that_is_away_is_waited_for() -> None:
    async def main() -> None:
        cluster, naps = Cluster(), Naps()
        answers = [failure(503, "ServiceUnavailable", "etcd is away")] * 3
        cluster.admit = lambda *_: answers.pop() if answers else None
        one = standing(cluster, naps=naps)
        waiting = asyncio.create_task(one.ready())
        await asyncio.sleep(0)
        task = asyncio.create_task(one.begin())
        owner = await waiting
        await task
        assert owner.name == "attacca-w"
        assert one.why == ""
        assert naps.made == [0.1, 0.2, 0.4]

    asyncio.run(main())


def test_what_somebody_has_deleted_is_missed() -> None:
    async def main() -> None:
        cluster = Cluster()
        one = standing(cluster)
        assert not await one.still()
        await one.begin()
        cluster.admit = lambda *_: failure(500, "InternalError", "no")
        assert await one.still(), "who does not answer says nothing"
        cluster.admit = lambda *_: None
        cluster.answer("DELETE", f"{CORE}/configmaps/attacca-w", {}, None)
        assert not await one.still()
        refusals = [failure(409, "Conflict", "it is being deleted")]
        cluster.admit = lambda method, path, _: (
            refusals.pop() if refusals and method == "POST" and path.endswith("policies") else None
        )
        one.doubt()  # of what is made just now, by who has heard late
        await one.begin(is_first=False)
        assert cluster.names("configmaps") == ["attacca-w"]
        await one.ready()
        assert await one.still()

    asyncio.run(main())
