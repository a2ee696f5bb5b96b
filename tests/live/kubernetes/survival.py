"""What must survive with a real API server: its end, its silence, that of a worker, and what others do to pods."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from attacca.model.function import SecretAs
from attacca.model.invocation import Ok
from attacca.model.messages import Logged
from attacca.worker.core.reports import SandboxFailed, SandboxGone, SandboxReady
from attacca.worker.runtime.bench import Bench
from attacca.worker.runtime.conformance import Doing
from attacca.worker.runtime.kubernetes import looked
from attacca.worker.runtime.kubernetes.api import Api
from attacca.worker.runtime.kubernetes.options import KubernetesOptions
from tests.live.kubernetes.aside import aside
from tests.live.kubernetes.conformance import left
from tests.live.kubernetes.node import joined
from tests.live.kubernetes.processes import Processes
from tests.live.kubernetes.real import ADMIN, NAMESPACE, NOBODY, ApiServer, running
from tests.live.kubernetes.story import a_worker_that_is_killed
from tests.live.kubernetes.subject import PodSubject, revision
from tests.live.patience import patiently
from tests.worker.runtime.kubernetes.exchanges import RECORDED, Exchange, exchanged

PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with running(tmp_path_factory.mktemp("server")) as server:
        yield server


@contextlib.asynccontextmanager
async def opened(server: ApiServer, directory: Path, **options: object) -> AsyncIterator[Bench]:
    async with joined(server, Processes(directory), directory):
        subject = PodSubject(server.access(), list, (), {}, lambda _: b"hidden", **options)
        bench = Bench(subject.runtime)
        await subject.runtime.open(bench.witness.hear)
        try:
            yield bench
        finally:
            await subject.runtime.close()
        assert bench.witness.wrong == []
        assert await left(server) == []


def test_a_server_that_is_killed_and_comes_back(server: ApiServer, tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(server, tmp_path) as bench:
            echo = revision("echo")
            first, second = await bench.sandbox(echo), await bench.sandbox(echo)
            await asyncio.to_thread(server.stop, signal.SIGKILL)
            await bench.echo(first, echo)
            bench.kill(first)
            third = bench.make(echo)
            await bench.echo(second, echo)
            await asyncio.to_thread(server.start)
            await bench.gone(first)
            assert isinstance(await bench.born(third), SandboxReady)
            await bench.echo(third, echo)
            await bench.echo(second, echo)

    asyncio.run(main())


def test_a_server_that_is_silent_for_a_while(server: ApiServer, tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(server, tmp_path) as bench:
            echo = revision("echo")
            first = await bench.sandbox(echo)
            server.hold(is_held=True)
            try:
                second = bench.make(echo)
                for _ in range(50):
                    await bench.echo(first, echo)
            finally:
                server.hold(is_held=False)
            assert isinstance(await bench.born(second), SandboxReady)

    asyncio.run(main())


def test_what_others_do_to_pods_is_told(server: ApiServer, tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(server, tmp_path, start_timeout_s=patiently(3.0)) as bench:
            waits, api = revision("waits", Doing.WAIT), Api(server.access(ADMIN))
            sandbox = await bench.sandbox(waits)
            bench.run(sandbox, waits)
            (name,) = [one["metadata"]["name"] for one in json.loads(await api.ask("GET", PODS))["items"]]
            await api.ask("DELETE", f"{PODS}/{name}", gracePeriodSeconds="0")
            report = await bench.gone(sandbox)
            assert isinstance(report, SandboxGone)
            assert report.message == "its pod was deleted, by its node or by somebody"
            missing, nowhere = (
                bench.make(revision("m", image="missing:1")),
                bench.make(revision("n", image="unschedulable:1")),
            )
            for failed, code, words in (
                (missing, "start_failed", "ImagePullBackOff"),
                (nowhere, "timeout", "Unschedulable"),
            ):
                told = await bench.born(failed)
                assert isinstance(told, SandboxFailed)
                assert (told.code, words in told.message) == (code, True), told
            await api.close()

    asyncio.run(main())


def test_pods_of_others_are_let_be(server: ApiServer, tmp_path: Path) -> None:
    async def main() -> None:
        api = Api(server.access(ADMIN))
        quiet = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True}
        quiet |= {"seccompProfile": {"type": "RuntimeDefault"}}
        containers = [{"name": "c", "image": "unschedulable:1", "securityContext": quiet}]
        meta = {"name": "stranger", "labels": {"attacca/worker": "subject"}}
        told = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": containers}}
        await api.ask("POST", PODS, told)
        subject = PodSubject(server.access(), list, (), {})
        bench = Bench(subject.runtime)
        async with joined(server, Processes(tmp_path), tmp_path):
            await subject.runtime.open(bench.witness.hear)
            await bench.sandbox(revision("echo"))
            await subject.runtime.close()
        assert await left(server) == [f"{PODS} stranger"]
        await api.ask("DELETE", f"{PODS}/stranger", gracePeriodSeconds="0")
        await api.close()

    asyncio.run(main())


def test_what_is_printed_and_hidden(server: ApiServer, tmp_path: Path) -> None:
    async def main() -> None:
        async with opened(server, tmp_path) as bench:
            prints = revision("prints", Doing.PRINT)
            await bench.ended(bench.run(await bench.sandbox(prints), prints))
            heard = await bench.witness.until(lambda one: isinstance(one, Logged), "what it prints")
            assert isinstance(heard, Logged)
            assert heard.text == "hello\n"
            tells = revision("tells", "python", secrets={"KEY": SecretAs.ENV})
            asked = bench.run(await bench.sandbox(tells), tells, b"import os; said = os.environ['KEY']")
            outcome = (await bench.ended(asked)).outcome
            assert isinstance(outcome, Ok)
            assert outcome.body == b"'hidden'"

    asyncio.run(main())


def test_a_whole_server_whose_worker_is_killed(server: ApiServer, tmp_path: Path) -> None:
    def names(kind: str) -> list[str]:
        found = asyncio.run(left(server))
        return [one.rpartition(" ")[2] for one in found if one.partition(" ")[0].endswith(f"/{kind}")]

    with aside(lambda: joined(server, Processes(tmp_path), tmp_path)):
        a_worker_that_is_killed(tmp_path / "state", server.kubeconfig(), names, 50)


def test_a_doctor_says_what_the_account_of_deploy_may_do(server: ApiServer) -> None:
    found = looked.look(KubernetesOptions(kubeconfig=str(server.kubeconfig())))
    assert found.is_fine, found
    assert found.detail == f"v1.35.4 at https://127.0.0.1:{server.port}, namespace {NAMESPACE}"
    refused = looked.look(KubernetesOptions(kubeconfig=str(server.kubeconfig(NOBODY))))
    assert "it may not create pods, delete pods" in refused.detail
    assert not refused.is_fine


def test_it_answers_as_was_recorded(server: ApiServer) -> None:
    """What the twin is held to. RECORD=1 writes it anew."""

    async def main() -> list[Exchange]:
        api = Api(server.access(ADMIN))
        try:
            return await exchanged(api, NAMESPACE)
        finally:
            await api.close()

    found = asyncio.run(main())
    if os.environ.get("RECORD"):
        RECORDED.write_text(json.dumps(found, indent=1) + "\n")
    assert found == json.loads(RECORDED.read_text())
