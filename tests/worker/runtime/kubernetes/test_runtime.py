"""Orders, and what an API server says and does not say: no program is asked, which takes a network."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from attacca.kernel.clock import ManualClock
from attacca.model.function import PodImage, Revision, RuntimeKind, SecretAs, Settings, Signature
from attacca.model.messages import Logged
from attacca.worker.core.reports import SandboxFailed, TemplateFailed
from attacca.worker.runtime.bench import Bench
from attacca.worker.runtime.kubernetes.options import KubernetesOptions
from attacca.worker.runtime.kubernetes.runtime import KubernetesRuntime
from tests.cases import each
from tests.worker.runtime.kubernetes.twin import Answered, Cluster, Desk, failure

CORE = "/api/v1/namespaces/default"
OVER = {"terminated": {"exitCode": 1, "reason": "Error"}}


def revision(**settings: Any) -> Revision:
    told = Settings(name="f", memory_mb=64, runtime=RuntimeKind.KUBERNETES, image="x", **settings)
    return Revision(function="f", number=1, settings=told, handler="", signature=Signature.WSGI, artefact=PodImage("x"))


class Stage:
    def __init__(self, **options: Any) -> None:
        self.cluster = Cluster()
        self.desk = Desk(self.cluster)
        told = msgspec.convert({"kubeconfig": "unread", **options}, KubernetesOptions)
        self.naps: list[float] = []
        self.runtime = KubernetesRuntime(
            lambda: (self.desk, "default"), told, ManualClock(), "w", "r1", secret=lambda _: b"hidden", nap=self._nap
        )
        self.bench = Bench(self.runtime)

    async def _nap(self, seconds: float) -> None:
        self.naps.append(seconds)
        await asyncio.sleep(0)

    async def until(self, is_it: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not is_it():  # noqa: ASYNC110 - of many things one
                await asyncio.sleep(0)

    async def pod(self) -> str:
        """The only one, when it is there."""
        await self.until(lambda: len(self.cluster.names("pods")) == 1)
        return self.cluster.names("pods")[0]

    def say(self, name: str, state: Any = None, **status: Any) -> None:
        told = {"containerStatuses": [{"name": "function", "state": state}]} if state else {}
        self.cluster.patch_pod(name, {**told, **status})


@contextlib.asynccontextmanager
async def opened(**options: Any) -> AsyncIterator[Stage]:
    stage = Stage(**options)
    await stage.runtime.open(stage.bench.witness.hear)
    try:
        yield stage
    finally:
        await stage.runtime.close()
        assert stage.bench.witness.wrong == []
    assert stage.desk.is_closed
    assert stage.cluster.names("pods") == stage.cluster.names("secrets") == []


@each(
    "state, status, code, words",
    [
        (OVER, {"phase": "Failed"}, "bad_function", "its process exited with status 1 before it listened"),
        (
            {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}, {"phase": "Failed"},
            "out_of_memory", "it went over its memory of 64 MB",
        ),
        (None, {"phase": "Failed", "reason": "Evicted", "message": "disk"}, "sandbox_lost", "Evicted: disk"),
        (
            {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}, {},
            "start_failed", "the cluster cannot start it: ImagePullBackOff: no such image",
        ),
    ],
)  # fmt: skip
def test_one_that_never_begins_says_why(state: Any, status: Any, code: str, words: str) -> None:
    async def main() -> None:
        async with opened() as stage:
            sandbox = stage.bench.make(revision())
            name = await stage.pod()
            stage.cluster.logs[name] = b"said before it ended\n"
            stage.say(name, state, **status)
            report = await stage.bench.born(sandbox)
            assert isinstance(report, SandboxFailed)
            assert report.code == code
            assert words in report.message
            assert report.traceback == ("said before it ended" if code == "bad_function" else "")
            await stage.until(lambda: not stage.cluster.names("pods"))

    asyncio.run(main())


def test_a_template_that_never_begins_says_it_too() -> None:
    async def main() -> None:
        async with opened() as stage:
            template = stage.bench.make_template(revision())
            stage.say(await stage.pod(), OVER, phase="Failed")
            assert isinstance(await stage.bench.born(template), TemplateFailed)

    asyncio.run(main())


def test_a_pod_that_somebody_deletes_is_told_and_its_owner_looked_for() -> None:
    async def main() -> None:
        async with opened() as stage:
            sandbox = stage.bench.make(revision())
            name = await stage.pod()
            stage.cluster.answer("DELETE", f"{CORE}/pods/{name}", {}, None)
            report = await stage.bench.born(sandbox)
            assert isinstance(report, SandboxFailed)
            assert (report.code, report.message) == ("start_failed", "its pod was deleted, by its node or by somebody")
            stage.cluster.answer("DELETE", f"{CORE}/configmaps/attacca-w", {}, None)
            other = stage.bench.make(revision())
            name = await stage.pod()
            stage.cluster.answer("DELETE", f"{CORE}/pods/{name}", {}, None)
            await stage.bench.born(other)
            await stage.until(lambda: stage.cluster.names("configmaps") == ["attacca-w"])
            stage.bench.make(revision())
            owner = stage.cluster.things["pods", await stage.pod()]["metadata"]["ownerReferences"][0]
            assert owner["uid"] == stage.cluster.things["configmaps", "attacca-w"]["metadata"]["uid"]

    asyncio.run(main())


def test_one_that_is_ended_before_it_began_is_told_and_another_is_not_the_owners_before_that_was_looked_for() -> None:
    async def main() -> None:
        async with opened() as stage:
            lost = stage.bench.make(revision())
            first = await stage.pod()
            stage.say(first, phase="Running")
            stage.cluster.answer("DELETE", f"{CORE}/configmaps/attacca-w", {}, None)  # and its pods are to end
            assert isinstance(await stage.bench.born(lost), SandboxFailed)
            stage.bench.make(revision())
            await stage.until(
                lambda: stage.cluster.names("pods") not in ([], [first]) and first not in stage.cluster.names("pods")
            )
            name, owner = await stage.pod(), stage.cluster.things["configmaps", "attacca-w"]
            (reference,) = stage.cluster.things["pods", name]["metadata"]["ownerReferences"]
            assert reference["uid"] == owner["metadata"]["uid"]

    asyncio.run(main())


def test_one_that_is_killed_before_it_is_there_leaves_nothing() -> None:
    async def main() -> None:
        async with opened() as stage:
            told = revision(secrets={"KEY": SecretAs.ENV})
            for pauses in range(12):
                sandbox = stage.bench.make(told)
                for _ in range(pauses):
                    await asyncio.sleep(0)
                stage.bench.kill(sandbox)
                await stage.bench.gone(sandbox)
            await stage.until(lambda: not stage.cluster.names("pods"))
            await stage.until(lambda: not stage.cluster.names("secrets"))
            await stage.until(lambda: repr(stage.runtime).endswith("0 of 0 pods ready, 0 being removed>"))

    asyncio.run(main())


@each("code, is_tried", [(429, True), (500, True), (503, True), (401, False), (403, False), (422, False)])
def test_a_pod_that_is_refused(code: int, is_tried: bool) -> None:  # noqa: FBT001 - a case's
    async def main() -> None:
        async with opened() as stage:
            answers = [failure(code, "Because", "of a quota")] * (3 if is_tried else 6)

            def admit(method: str, path: str, _: dict[str, str]) -> Answered | None:
                return answers.pop() if answers and (method, path) == ("POST", f"{CORE}/pods") else None

            stage.cluster.admit = admit
            sandbox = stage.bench.make(revision())
            if is_tried:
                await stage.pod()
                assert stage.naps == [0.1, 0.2, 0.4]
            else:
                report = await stage.bench.born(sandbox)
                assert isinstance(report, SandboxFailed)
                assert report.code == "start_failed"
                assert f"the API server answers {code}: of a quota" in report.message
                assert len(answers) == (5 if code == 422 else 0)

    asyncio.run(main())


def test_a_pod_of_a_try_that_was_not_answered_is_the_one() -> None:
    async def main() -> None:
        async with opened() as stage:
            lost = [True]

            def admit(method: str, path: str, _: dict[str, str]) -> Answered | None:
                if lost and (method, path) == ("POST", f"{CORE}/pods"):
                    lost.clear()
                    stage.cluster.admit = lambda *_: None
                    stage.cluster.things["pods", name()] = {"metadata": {"name": name(), "labels": {}}, "status": {}}
                    return failure(500, "InternalError", "the answer was lost")
                return None

            def name() -> str:
                return next(iter(stage.runtime.sandboxes.values())).pod

            stage.cluster.admit = admit
            stage.bench.make(revision())
            await stage.until(lambda: not lost and len(stage.cluster.names("pods")) == 1)
            await stage.until(lambda: stage.naps == [0.1])

    asyncio.run(main())


def test_secrets_lie_beside_their_pod_and_go_with_it() -> None:
    async def main() -> None:
        async with opened() as stage:
            assert repr(stage.runtime) == "<KubernetesRuntime 0 of 0 pods ready, 0 being removed>"
            sandbox = stage.bench.make(revision(secrets={"KEY": SecretAs.ENV}))
            name = await stage.pod()
            assert stage.cluster.names("secrets") == [name]
            assert b"hidden" not in repr(stage.cluster.things["pods", name]).encode()
            stage.bench.kill(sandbox)
            await stage.bench.gone(sandbox)
            assert stage.cluster.names("secrets") == stage.cluster.names("pods") == []

    asyncio.run(main())


def test_what_is_printed_is_logged_and_heard_again_where_the_way_breaks() -> None:
    async def main() -> None:
        async with opened() as stage:
            sandbox = stage.bench.make(revision())
            name = await stage.pod()
            stage.cluster.logs[name] = b"hello\n"
            answers = [failure(500, "InternalError", "the node is away")]

            def admit(_: str, path: str, __: dict[str, str]) -> Answered | None:
                return answers.pop() if answers and path.endswith("/log") else None

            stage.cluster.admit = admit
            stage.say(name, {"running": {"startedAt": "2026-01-01T00:00:00Z"}}, phase="Running")
            heard = await stage.bench.witness.until(lambda one: isinstance(one, Logged), "a line")
            assert heard == Logged("f", "f@1", sandbox, "", "stdout", "hello\n")
            assert not answers

    asyncio.run(main())


def test_somebody_elses_pods_are_nobodys() -> None:
    async def main() -> None:
        async with opened() as stage:
            labels = {"attacca/worker": "w", "attacca/run": "r1"}
            told = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "stranger", "labels": labels}}
            stage.bench.make(revision())
            name = await stage.pod()
            stage.cluster.answer("POST", f"{CORE}/pods", {}, told)
            stage.say("stranger", OVER, phase="Failed")
            stage.say(name, OVER, phase="Failed")
            await stage.until(lambda: stage.cluster.names("pods") == ["stranger"])
            del stage.cluster.things["pods", "stranger"]

    asyncio.run(main())
