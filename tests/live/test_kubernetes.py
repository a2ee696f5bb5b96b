"""Pods do what every runtime's sandboxes must, through an API server in memory that is asked over HTTP."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from attacca.model.function import SecretAs
from attacca.model.invocation import Ok
from attacca.model.messages import Logged
from attacca.worker.core.reports import SandboxFailed, SandboxReady
from attacca.worker.runtime.bench import Bench
from attacca.worker.runtime.conformance import NEEDS, Doing, check_runtime
from attacca.worker.runtime.kubernetes.api import Api, Declined
from attacca.worker.runtime.kubernetes.sandbox import source_of
from tests.live.kubernetes.aside import aside
from tests.live.kubernetes.kubelet import Kubelet
from tests.live.kubernetes.processes import Processes
from tests.live.kubernetes.served import OF_NODE, TOKEN, Served
from tests.live.kubernetes.story import a_worker_that_is_killed
from tests.live.kubernetes.subject import PodSubject, revision
from tests.live.patience import PATIENCE_S, patiently
from tests.live.python_image import PROGRAM
from tests.live.test_container_contracts import SERVER
from tests.worker.runtime.kubernetes.twin import Cluster

LEFT_OUT = {Doing.RAISE, Doing.PRINT, Doing.HOG, Doing.LINKS}


@contextlib.asynccontextmanager
async def cluster(directory: Path, program: str = PROGRAM) -> AsyncIterator[tuple[Served, Kubelet]]:
    served = Served(Cluster())
    await served.open()
    api = Api(served.access._replace(token=OF_NODE))
    kubelet = Kubelet(api, "default", Processes(directory, program=program))
    served.log = kubelet.log
    following = asyncio.create_task(kubelet.follow())
    try:
        yield served, kubelet
    finally:
        following.cancel()
        (told,) = await asyncio.gather(following, return_exceptions=True)
        await api.close()
        await served.close()
    assert isinstance(told, asyncio.CancelledError), f"the node's own fault: {told!r}"


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


def test_a_whole_server_has_its_functions_in_pods(tmp_path: Path) -> None:
    with aside(lambda: cluster(tmp_path)) as (served, _):
        told = {
            "current-context": "k",
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{served.port}"}}],
            "users": [{"name": "u", "user": {"token": TOKEN}}],
            "contexts": [{"name": "k", "context": {"cluster": "c", "user": "u"}}],
        }
        path = tmp_path / "kubeconfig"
        path.write_bytes(msgspec.yaml.encode(told))
        a_worker_that_is_killed(tmp_path / "state", path, served.cluster.names)


LIES = ("a list", "no text")  # of which one must think that a pod was made
SPOILT = {
    "nothing": b"",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "half an answer": b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{",
    "an endless head": b"HTTP/1.1 200 OK\r\n" + b"x-filler: yyyyyyyyyyyyyyyyyyyy\r\n" * 10_000,
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
    "a list": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]",
    "a page": b"HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>",
    "no text": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n\xff\xfe",
}


def test_a_server_that_answers_with_nonsense_is_asked_again(tmp_path: Path) -> None:
    async def main() -> None:
        async with cluster(tmp_path) as (served, _):
            left = [*SPOILT.values()]
            subject = PodSubject(served.access, list, (), {})
            bench, echo = Bench(subject.runtime), subject.function(Doing.ECHO)
            served.spoil = lambda *_: left.pop() if left else None
            await subject.runtime.open(bench.witness.hear)
            try:
                for _ in range(2):  # before it stands, and while it does
                    await bench.echo(await bench.sandbox(echo), echo)
                    assert not left
                    left += [answer for what, answer in SPOILT.items() if what not in LIES]
            finally:
                left.clear()
                await subject.runtime.close()
            assert bench.witness.wrong == []
            assert served.cluster.things == {}

    asyncio.run(main())


def test_while_a_server_is_away_pods_are_called_and_what_was_ordered_is_done_when_it_is_back(tmp_path: Path) -> None:
    async def main() -> None:
        async with cluster(tmp_path) as (served, kubelet):
            subject = PodSubject(served.access, list, (), {})
            bench, echo = Bench(subject.runtime), subject.function(Doing.ECHO)
            await subject.runtime.open(bench.witness.hear)
            try:
                first, second = await bench.sandbox(echo), await bench.sandbox(echo)
                await served.close()
                await bench.echo(first, echo)
                bench.kill(first)
                third = bench.make(echo)
                await bench.echo(second, echo)
                await served.open()
                await bench.gone(first)
                assert isinstance(await bench.born(third), SandboxReady)
                await bench.echo(second, echo)
                await bench.echo(third, echo)
                async with asyncio.timeout(PATIENCE_S):  # a pod may be gone from the server before its program is
                    await kubelet.until_running(2)
            finally:
                await subject.runtime.close()
            assert served.cluster.things == {}
            assert bench.witness.wrong == []

    asyncio.run(main())


def test_who_is_not_known_is_told_so(tmp_path: Path) -> None:
    async def main() -> None:
        async with cluster(tmp_path) as (served, _):
            subject = PodSubject(served.access._replace(token="another"), list, (), {})
            bench = Bench(subject.runtime)
            await subject.runtime.open(bench.witness.hear)
            report = await bench.born(bench.make(subject.function(Doing.ECHO)))
            assert isinstance(report, SandboxFailed)
            assert report.message.startswith("the API server answers 401: Unauthorized (see the token")
            await subject.runtime.close()

    asyncio.run(main())


def test_a_token_that_was_put_in_anothers_place_is_read_when_that_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        async with cluster(tmp_path) as (served, _):
            file = tmp_path / "token"
            file.write_text(f"{TOKEN}\n")
            api = Api(served.access._replace(token="", token_file=file))
            pods = "/api/v1/namespaces/default/pods"
            await api.ask("GET", pods)
            served.token = "another"
            with pytest.raises(Declined, match="401"):
                await api.ask("GET", pods)
            file.write_text("another")
            await api.ask("GET", pods)
            served.token = "a-third"
            file.write_text("a-third")
            log = api.stream(f"{pods}/p/log", quiet_s=1.0)
            with pytest.raises(Declined, match="401"):
                await anext(log)
            with pytest.raises(Declined, match="404"):
                await anext(api.stream(f"{pods}/p/log", quiet_s=1.0))
            assert api.address == "127.0.0.1"
            await api.close()

    asyncio.run(main())


def test_from_which_address_a_pod_is_asked() -> None:
    told = [source_of(address) for address in ("127.9.9.9", "localhost", "", "300.0.0.1")]
    assert told == ["127.0.0.1", "", "", ""]


def test_an_agent_of_iluvatar_is_asked_at_its_path(tmp_path: Path) -> None:
    async def main() -> None:
        async with cluster(tmp_path, SERVER) as (served, _):
            subject = PodSubject(served.access, list, (), {})
            bench = Bench(subject.runtime)
            await subject.runtime.open(bench.witness.hear)
            agent = revision("agent", env={"__IL_PORT": "8080", "__IL_HOST": "0.0.0.0"})
            asked = bench.run(await bench.sandbox(agent), agent, b'{"a": 1}', path="/invoke")
            outcome = (await bench.ended(asked)).outcome
            assert isinstance(outcome, Ok), outcome
            assert json.loads(json.loads(outcome.body)["user_result"]) == {"body": {"a": 1}, "port": "8080"}
            await subject.runtime.close()

    asyncio.run(main())


def test_one_that_asks_for_its_events_is_told_what_runs_it(tmp_path: Path) -> None:
    program = "import os\nos.environ['AWS_LAMBDA_RUNTIME_API']"

    async def main() -> None:
        async with cluster(tmp_path, program) as (served, _):
            subject = PodSubject(served.access, list, (), {})
            bench = Bench(subject.runtime)
            await subject.runtime.open(bench.witness.hear)
            report = await bench.born(bench.make(revision("asks")))
            assert isinstance(report, SandboxFailed)
            assert report.code == "bad_function"
            assert 'no pod can: runtime = "container" runs such images' in report.message
            assert "KeyError: 'AWS_LAMBDA_RUNTIME_API'" in report.traceback
            await subject.runtime.close()

    asyncio.run(main())


def test_one_that_does_not_begin_in_time_says_what_it_waits_for(tmp_path: Path) -> None:
    async def main() -> None:
        async with cluster(tmp_path) as (served, _):
            subject = PodSubject(served.access, list, (), {}, start_timeout_s=patiently(1.5))
            bench = Bench(subject.runtime)
            await subject.runtime.open(bench.witness.hear)
            deaf, nowhere = revision("deaf", "deaf"), revision("nowhere", image="unschedulable:1")
            missing = revision("missing", image="missing:1")
            told = {}
            for name in [bench.make(one) for one in (deaf, nowhere, missing)]:
                report = await bench.born(name)
                assert isinstance(report, SandboxFailed)
                told[report.code, report.message.partition(" within ")[0]] = report.message
            await subject.runtime.close()
            assert [code for code, _ in told] == ["timeout", "timeout", "start_failed"]
            first, second, third = told.values()
            assert first.startswith("nobody listened on 127.1.0."), first
            assert "no node takes it: Unschedulable: 0/1 nodes are available" in second
            assert 'ImagePullBackOff: Back-off pulling image "missing:1"' in third
            assert served.cluster.things == {}

    asyncio.run(main())


def test_what_is_printed_comes_and_secrets_are_there(tmp_path: Path) -> None:
    async def main() -> None:
        async with cluster(tmp_path) as (served, _):
            subject = PodSubject(served.access, list, (), {}, lambda _: b"hidden")
            bench = Bench(subject.runtime)
            await subject.runtime.open(bench.witness.hear)
            prints = revision("prints", Doing.PRINT)
            await bench.ended(bench.run(await bench.sandbox(prints), prints))
            heard = await bench.witness.until(lambda one: isinstance(one, Logged), "what it prints")
            assert isinstance(heard, Logged)
            assert (heard.function, heard.stream, heard.text) == ("prints", "stdout", "hello\n")
            tells = revision("tells", "python", secrets={"KEY": SecretAs.ENV}, env={"A": "$(PORT)"})
            sandbox = await bench.sandbox(tells)
            asked = bench.run(sandbox, tells, b"import os; said = [os.environ[name] for name in ('KEY', 'A', 'PORT')]")
            outcome = (await bench.ended(asked)).outcome
            assert isinstance(outcome, Ok)
            assert outcome.body == b"['hidden', '$(PORT)', '8080']"
            await subject.runtime.close()
            assert served.cluster.things == {}

    asyncio.run(main())
