"""Pods do what every runtime's sandboxes must, through an API server in memory that is asked over HTTP."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from attacca.worker.runtime.conformance import NEEDS, Doing, check_runtime
from attacca.worker.runtime.kubernetes.api import Api
from tests.live.kubernetes.kubelet import Kubelet
from tests.live.kubernetes.processes import Processes
from tests.live.kubernetes.served import Served
from tests.live.kubernetes.subject import PodSubject
from tests.worker.runtime.kubernetes.twin import Cluster

LEFT_OUT = {Doing.RAISE, Doing.PRINT, Doing.HOG, Doing.LINKS}


@contextlib.asynccontextmanager
async def cluster(directory: Path) -> AsyncIterator[tuple[Served, Kubelet]]:
    served = Served(Cluster())
    await served.open()
    api = Api(served.access)
    kubelet = Kubelet(api, "default", Processes(directory))
    served.log = kubelet.log
    following = asyncio.create_task(kubelet.follow())
    try:
        yield served, kubelet
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await api.close()
        await served.close()


def test_it_passes_all_checks_that_apply(tmp_path: Path) -> None:
    async def main() -> list[str]:
        async with cluster(tmp_path) as (served, _):
            return await check_runtime(
                lambda: PodSubject(served.access, lambda: left(served.cluster), tuple(LEFT_OUT), {})
            )

    passed = asyncio.run(main())
    assert passed == [check.__name__ for check, needs in NEEDS.items() if not LEFT_OUT & set(needs)]


def left(cluster: Cluster) -> list[str]:
    return [f"{kind} {name}" for kind, name in cluster.things]
