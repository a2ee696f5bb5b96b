"""What holds for every resource, in whatever it stands for: for the tests of ours, and of those that others write.

passed = await check_resource(Subject("redis", {"url": "..."}, call=b"key"), runtime_of_a_node)
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from attacca.model.events import Delivery, EventKind
from attacca.model.function import ResourceClass, Revision, Settings, Signature
from attacca.model.invocation import Failed, Ok
from attacca.worker.core.events import Deliver
from attacca.worker.core.reports import Report, RunEnded, SandboxFailed, SandboxGone, SandboxReady
from attacca.workflow.resources.runtime import ResourceRuntime

NAME, SELF = "w.resource.1", "w.resource.1@w\nw"
TIMEOUT_S, SILENCE_S = 2.0, 10.0
NONSENSE = (b"", b"\xff\x00{", b'{"a":', b"x" * 100_000)
Step = Callable[[], Awaitable[None]]


class Subject(msgspec.Struct, frozen=True):
    """A class with its configuration, and events that it takes; None: it takes none of that kind. `leave` and
    `come_back`: what its server does, where it has one."""

    name: str
    configuration: Mapping[str, str]
    cast: bytes | None = None
    call: bytes | None = None
    leave: Step | None = None
    come_back: Step | None = None


class Bench:
    """One resource, and whatever is reported of it."""

    def __init__(self, runtime: ResourceRuntime, subject: Subject) -> None:
        self._runtime, self._subject = runtime, subject
        self._reports: asyncio.Queue[Report] = asyncio.Queue()
        self._count = 0

    def __repr__(self) -> str:
        return f"<Bench {self._count} events>"

    async def report(self) -> Report:
        async with asyncio.timeout(SILENCE_S):
            return await self._reports.get()

    async def make(self) -> Report:
        await self._runtime.open(self._hear)
        artefact = ResourceClass(self._subject.name, tuple(self._subject.configuration.items()))
        revision = Revision(
            function="w.resource", number=1, settings=Settings(name="w", timeout_s=TIMEOUT_S), handler="",
            signature=Signature.EVENTS, artefact=artefact,
        )  # fmt: skip
        self._runtime.make_sandbox(NAME, revision, None)
        return await self.report()

    def _hear(self, report: Report) -> None:
        """What it sends by itself is not looked at."""
        if isinstance(report, SandboxReady | SandboxFailed | SandboxGone | RunEnded):
            self._reports.put_nowait(report)

    async def handle(self, kind: EventKind, data: bytes = b"", source: str = "a.b.1@w") -> Ok | Failed:
        self._count += 1
        name = str(self._count)
        self._runtime.tell(NAME, Deliver(NAME, Delivery(name, kind, source, data)))
        ended = await self.report()
        assert isinstance(ended, RunEnded), f"{ended} is not the end of {kind}"
        assert ended.invocation == name, "each event ends once"
        assert isinstance(ended.outcome, Ok | Failed), "it raises nothing but errors"
        assert isinstance(ended.outcome, Ok) or ended.outcome.message, "an error says what happened"
        return ended.outcome

    async def kill(self) -> None:
        self._runtime.kill(NAME)
        gone = await self.report()
        assert isinstance(gone, SandboxGone), gone
        assert self._reports.empty(), "nothing is said after its end"


async def check_resource(subject: Subject, runtime: ResourceRuntime) -> list[str]:
    """The names of the checks that it has passed.

    Raises:
        AssertionError: it has not passed one.
        TimeoutError: it said nothing.
    """
    before, bench, passed = asyncio.all_tasks(), Bench(runtime, subject), list[str]()
    made = await bench.make()
    assert isinstance(made, SandboxReady), made
    begun = await bench.handle(EventKind.INIT, source=SELF)
    assert isinstance(begun, Ok), begun
    passed.append("it begins")
    await _check_events(subject, bench, passed)
    if subject.leave is not None and subject.come_back is not None:
        await _check_away(subject, bench, passed)
    await bench.kill()
    left = [task for task in asyncio.all_tasks() - before if not task.done()]
    assert left == [], f"tasks are left behind: {left}"
    passed.append("it ends, and leaves nothing behind")
    return passed


async def _check_events(subject: Subject, bench: Bench, passed: list[str]) -> None:
    for kind, data in ((EventKind.CAST, subject.cast), (EventKind.CALL, subject.call)):
        if data is not None:
            outcome = await bench.handle(kind, data)
            assert isinstance(outcome, Ok), outcome
            assert (outcome.status == 204) == (kind is EventKind.CAST), "a call has a reply"
            passed.append(f"a {kind} is taken")
        else:
            outcome = await bench.handle(kind, b"data")
            assert isinstance(outcome, Failed), f"{subject.name} takes a {kind}, and is not said to"
            passed.append(f"a {kind} is refused")
        for nonsense in NONSENSE:
            await bench.handle(kind, nonsense)
    passed.append("nonsense ends too")
    if subject.cast is not None:
        assert isinstance(await bench.handle(EventKind.CAST, subject.cast), Ok)
        passed.append("and the next event is taken")


async def _check_away(subject: Subject, bench: Bench, passed: list[str]) -> None:
    assert subject.leave is not None
    assert subject.come_back is not None
    assert subject.cast is not None
    await subject.leave()
    outcome = await bench.handle(EventKind.CAST, subject.cast)
    assert isinstance(outcome, Failed), "its server is away"
    passed.append("a server that is away is told")
    waiting: asyncio.Task[Any] = asyncio.get_running_loop().create_task(bench.handle(EventKind.CAST, subject.cast))
    await subject.come_back()
    outcome = await waiting
    if isinstance(outcome, Failed):  # it came back too late for this one
        outcome = await bench.handle(EventKind.CAST, subject.cast)
    assert isinstance(outcome, Ok), outcome
    passed.append("and waited for")
