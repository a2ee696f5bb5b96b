"""What a real API server makes of a worker in a pod of its own cluster, of what workers own, and of their settings."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from attacca.model.function import Network, SecretAs
from attacca.model.invocation import Ok
from attacca.worker.core.reports import SandboxFailed, SandboxGone
from attacca.worker.runtime.bench import Bench
from attacca.worker.runtime.kubernetes import manifests, reach
from attacca.worker.runtime.kubernetes.access import Access, access
from attacca.worker.runtime.kubernetes.api import Api, Declined
from attacca.worker.runtime.kubernetes.manifests import Owner
from attacca.worker.runtime.kubernetes.options import KubernetesOptions
from tests.live.kubernetes.conformance import left
from tests.live.kubernetes.node import joined
from tests.live.kubernetes.processes import Processes
from tests.live.kubernetes.real import ADMIN, NAMESPACE, ApiServer, running
from tests.live.kubernetes.subject import PodSubject, revision
from tests.live.patience import PATIENCE_S

CORE = f"/api/v1/namespaces/{NAMESPACE}"
POLICIES = f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/networkpolicies"
NAP_S = 0.1
UNUSED = {"containers": [{"name": "c", "image": "unschedulable:1", "securityContext": {
    "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}}]}  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with running(tmp_path_factory.mktemp("server")) as server:
        server.collect()
        yield server


@contextlib.asynccontextmanager
async def as_admin(server: ApiServer) -> AsyncIterator[Api]:
    api = Api(server.access(ADMIN))
    try:
        yield api
    finally:
        await api.close()


@contextlib.asynccontextmanager
async def opened(server: ApiServer, directory: Path, way: Access, **options: Any) -> AsyncIterator[Bench]:
    async with joined(server, Processes(directory), directory):
        subject = PodSubject(way, list, (), {}, lambda _: b"hidden", **options)
        bench = Bench(subject.runtime)
        await subject.runtime.open(bench.witness.hear)
        try:
            yield bench
        finally:
            await subject.runtime.close()
        assert bench.witness.wrong == []
        assert await left(server) == []


async def minted(api: Api, secret: str) -> str:
    """A token of the worker's account, good for as long as that Secret is there."""
    await api.ask("POST", f"{CORE}/secrets", {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret}})
    bound = {"apiVersion": "v1", "kind": "Secret", "name": secret}
    told = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"boundObjectRef": bound}}
    answer = json.loads(await api.ask("POST", f"{CORE}/serviceaccounts/attacca/token", told))
    return str(answer["status"]["token"])


def test_a_worker_in_a_pod_goes_by_its_account_whose_token_is_rotated(server: ApiServer, tmp_path: Path) -> None:
    async def main() -> None:
        async with as_admin(server) as api:
            first, second = await minted(api, "first"), await minted(api, "second")
            environ, place = server.account(tmp_path / "account", first)
            way = access(KubernetesOptions(in_cluster=True), environ, place)
            assert (way.namespace, way.home) == (NAMESPACE, NAMESPACE)
            async with opened(server, tmp_path, way) as bench:
                echo = revision("echo")
                await bench.echo(await bench.sandbox(echo), echo)
                policy = json.loads(await api.ask("GET", f"{POLICIES}/attacca-subject-callers"))
                (let_in,) = policy["spec"]["ingress"]
                assert let_in["from"] == reach.callers(None, NAMESPACE, "127.0.0.1")
                (place / "token").write_text(second)
                await api.ask("DELETE", f"{CORE}/secrets/first")
                await refused(Api(server.access(first)))
                await bench.echo(await bench.sandbox(echo), echo)
            await api.ask("DELETE", f"{CORE}/secrets/second")

    asyncio.run(main())


async def refused(old: Api) -> None:
    """A server believes a token for some seconds after what it is bound to has gone."""
    async with asyncio.timeout(3 * PATIENCE_S):
        while True:
            try:
                await old.ask("GET", f"{CORE}/pods")
            except Declined as error:
                if error.status == 401:
                    await old.close()
                    return
            await asyncio.sleep(NAP_S)


def test_what_a_worker_that_never_comes_back_owned_goes_with_what_stands_for_it(server: ApiServer) -> None:
    async def main() -> None:
        async with as_admin(server) as api:
            made = await api.ask("POST", f"{CORE}/configmaps", manifests.standing("lost", "r"))
            owner = Owner("attacca-lost", json.loads(made)["metadata"]["uid"], "lost", "r")
            told = revision("f", secrets={"KEY": SecretAs.ENV}, network=Network.NAT, allow=("192.0.2.1:443",))
            for path, thing in (
                *((POLICIES, one) for one in reach.policies(owner, reach.callers(None, "", "192.0.2.9"))),
                (POLICIES, reach.allowed("lost", owner, told)),
                (f"{CORE}/secrets", manifests.secret("lost", owner, told, {"KEY": b"x"})),
                (f"{CORE}/pods", manifests.pod("lost", owner, told, KubernetesOptions(), 64)),
            ):
                await api.ask("POST", path, thing)
            stranger = {"name": "stranger", "labels": {"attacca/worker": "lost"}}
            await api.ask(
                "POST", f"{CORE}/pods", {"apiVersion": "v1", "kind": "Pod", "metadata": stranger, "spec": UNUSED}
            )
            assert len(await left(server)) == 8
            await api.ask("DELETE", f"{CORE}/configmaps/attacca-lost")
            await until_left(server, [f"{CORE}/pods stranger"])
            await api.ask("DELETE", f"{CORE}/pods/stranger", gracePeriodSeconds="0")

    asyncio.run(main())


async def until_left(server: ApiServer, what: list[str]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while (there := await left(server)) != what:
            assert set(what) <= set(there)
            await asyncio.sleep(NAP_S)


def test_a_worker_whose_own_thing_is_deleted_loses_its_pods_and_begins_anew(server: ApiServer, tmp_path: Path) -> None:
    async def main() -> None:
        async with as_admin(server) as api, opened(server, tmp_path, server.access()) as bench:
            echo = revision("echo")
            sandbox = await bench.sandbox(echo)
            await api.ask("DELETE", f"{CORE}/configmaps/attacca-subject")
            assert isinstance(await bench.gone(sandbox), SandboxGone)
            await bench.echo(await bench.sandbox(echo), echo)

    asyncio.run(main())


def test_a_pod_that_is_deleted_answers_what_it_is_at(server: ApiServer, tmp_path: Path) -> None:
    """As where its node is drained."""

    async def main() -> None:
        async with as_admin(server) as api, opened(server, tmp_path, server.access()) as bench:
            naps = revision("naps", "python")
            sandbox = await bench.sandbox(naps)
            asked = bench.run(sandbox, naps, b"import time; time.sleep(1.0); said = 'done'")
            (pod,) = json.loads(await api.ask("GET", f"{CORE}/pods"))["items"]
            await api.ask("DELETE", f"{CORE}/pods/{pod['metadata']['name']}")
            outcome = (await bench.ended(asked)).outcome
            assert isinstance(outcome, Ok)
            assert outcome.body == b"'done'"
            assert isinstance(await bench.gone(sandbox), SandboxGone)

    asyncio.run(main())


def test_settings_are_what_the_cluster_is_told_and_takes(server: ApiServer, tmp_path: Path) -> None:
    async def main() -> None:
        options = {"image_pull_secret": "pull", "service_account": "attacca", "runtime_class": "kata"}
        async with as_admin(server) as api, opened(server, tmp_path, server.access(), **options) as bench:
            kata = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "kata"}}
            await api.ask("POST", "/apis/node.k8s.io/v1/runtimeclasses", {**kata, "handler": "kata"})
            told = revision("f", cpus=0.25, network=Network.NAT, allow=("192.0.2.0/24:443-445",))
            await bench.sandbox(told)
            (pod,) = json.loads(await api.ask("GET", f"{CORE}/pods"))["items"]
            spec = pod["spec"]
            assert spec["containers"][0]["resources"]["limits"] == {
                "memory": "64Mi", "ephemeral-storage": "128Mi", "cpu": "250m"
            }  # fmt: skip
            assert spec["imagePullSecrets"] == [{"name": "pull"}]
            assert (spec["runtimeClassName"], spec["serviceAccountName"]) == ("kata", "attacca")
            assert not spec["automountServiceAccountToken"]
            policy = json.loads(await api.ask("GET", f"{POLICIES}/{pod['metadata']['name']}"))
            assert policy["spec"]["egress"][0]["ports"] == [{"protocol": "TCP", "port": 443, "endPort": 445}]
            await api.ask("DELETE", "/apis/node.k8s.io/v1/runtimeclasses/kata")

    asyncio.run(main())


def test_what_the_cluster_does_not_take_is_told_in_its_words(server: ApiServer, tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(server, tmp_path, server.access(), runtime_class="none") as bench:
            assert 'RuntimeClass "none" not found' in (await failed(bench)).message
        async with as_admin(server) as api, opened(server, tmp_path, server.access()) as bench:
            await api.ask("POST", f"{CORE}/limitranges", {
                "apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "small"},
                "spec": {"limits": [{"type": "Pod", "max": {"memory": "32Mi"}}]},
            })  # fmt: skip
            assert "maximum memory usage per Pod is 32Mi" in (await failed(bench)).message
            await api.ask("DELETE", f"{CORE}/limitranges/small")
        async with opened(server, tmp_path, server.access(), root=True) as bench:  # the namespace is restricted
            assert 'violates PodSecurity "restricted:latest": runAsNonRoot != true' in (await failed(bench)).message
        async with opened(server, tmp_path, server.access(namespace="default")) as bench:
            told = await failed(bench)
            assert 'cannot get resource "configmaps"' in told.message
            assert "deploy/kubernetes/role.yaml" in told.message

    asyncio.run(main())


async def failed(bench: Bench) -> SandboxFailed:
    report = await bench.born(bench.make(revision("f")))
    assert isinstance(report, SandboxFailed)
    assert report.code == "start_failed"
    return report
