"""Pods do what every runtime's sandboxes must, through a real API server and a node that runs containers."""

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from attacca.model.function import Network
from attacca.worker.runtime.conformance import NEEDS, Doing, check_runtime
from attacca.worker.runtime.kubernetes.api import Api
from tests.live import python_image
from tests.live.kubernetes.containers import Containers
from tests.live.kubernetes.node import joined
from tests.live.kubernetes.real import ADMIN, NAMESPACE, ApiServer, running
from tests.live.kubernetes.subject import PodSubject

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="containers are made by root")
LEFT_OUT = {Doing.RAISE, Doing.PRINT}
NETWORKS = {one: ["eth0", "lo"] for one in Network}
OURS = ("pods", "secrets", "configmaps")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with running(tmp_path_factory.mktemp("server")) as server:
        yield server


def test_it_passes_all_checks_that_apply(server: ApiServer, tmp_path: Path) -> None:
    async def main() -> list[str]:
        (tmp_path / "pods").mkdir()
        containers = Containers(tmp_path / "pods", python_image.unpacked(tmp_path / "image"))
        async with joined(server, containers, tmp_path):
            access = server.access()
            passed = await check_runtime(lambda: PodSubject(access, list, tuple(LEFT_OUT), NETWORKS))
            assert await left(server) == []
        assert containers.left() == []
        containers.close()
        return passed

    passed = asyncio.run(main())
    assert passed == [check.__name__ for check, needs in NEEDS.items() if not LEFT_OUT & set(needs)]


async def left(server: ApiServer) -> list[str]:
    """What is a worker's in the cluster."""
    api, found = Api(server.access(ADMIN)), []
    paths = [f"/api/v1/namespaces/{NAMESPACE}/{kind}" for kind in OURS]
    for path in (*paths, f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/networkpolicies"):
        told = json.loads(await api.ask("GET", path, labelSelector="attacca/worker"))
        found += [f"{path} {one['metadata']['name']}" for one in told["items"]]
    await api.close()
    return found
