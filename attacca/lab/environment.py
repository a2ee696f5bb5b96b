"""Set up a live run on a server: deploy what the scenario names, watch the platform, take everything down again."""

import asyncio
import io
import signal
import urllib.parse
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import msgspec

from attacca.client.http import Client, quoted
from attacca.client.source import Source, deploy, find
from attacca.errors import AttaccaError, BadConfig, Conflict, NotFound
from attacca.io.archive import pack
from attacca.kernel.clock import SystemClock
from attacca.lab.bodies import (
    MARK,
    SOURCE,
    Known,
    archive,
    example_of,
    fixed_call,
    known_input,
    settings_of,
    timed_call,
)
from attacca.lab.runner import Ended, Ending, Live, Runner, SampleRow
from attacca.lab.standing import Shown
from attacca.load.records.recorder import RecordSink
from attacca.load.sending.frames import Call
from attacca.load.workload.scenario import FunctionPlan, Scenario
from attacca.load.workload.schedule import Schedule
from attacca.model.function import Scheduling

AT_ONCE = 4  # deployments
EXCHANGES = 20  # to learn what a server's clock shows
Tick = Callable[[], None]


class Environment:
    """The functions of one run on one server. Leaving it deletes what it deployed."""

    def __init__(self, client: Client, token: str, mode: str = "worker", *, keep: bool = False) -> None:
        """`mode`: who is to have the sandboxes made."""
        self.client, self.token, self._mode, self._keep = client, token, Scheduling(mode), keep
        self._deployed: list[str] = []
        self.per_ms = 0.0  # turns of our body's busy loop
        self._memory_mb: dict[str, int] = {}  # that the sandboxes of each reserve

    def __repr__(self) -> str:
        return f"<Environment {len(self._deployed)} functions at {self.client.url}>"

    @property
    def host(self) -> str:
        """As the Host header says it."""
        return urllib.parse.urlsplit(self.client.url).netloc

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._keep:
            self.clear()

    def deploy(self, plans: Sequence[FunctionPlan], tick: Tick = lambda: None) -> None:
        """
        Raises:
            Conflict: somebody else's function has one of the names.
            AttaccaError: the server refused one.
        """
        there = {row["function"] for row in self.client.functions()}
        for plan in plans:
            if plan.name in there and not self._is_ours(plan.name):
                raise Conflict(
                    f"there is a function {plan.name!r} already, and no load run deployed it",
                    "--no-deploy calls it as it is; or give the scenario's function another name",
                )
        own = archive()
        with ThreadPoolExecutor(AT_ONCE) as threads:
            for _ in threads.map(lambda plan: self._deploy(plan, own), plans):
                tick()

    def _deploy(self, plan: FunctionPlan, own: bytes) -> None:
        source, code = Source(SOURCE, settings_of(plan, self._mode)), own
        if plan.body.kind == "example":
            path = example_of(plan.body)
            source = find(path, {"name": plan.name, "memory_mb": plan.memory_mb}, {MARK: "1"})
            code = pack(path)
        with self.client.another() as client:
            for _ in deploy(client, source, io.BytesIO(code), allow_source_builds=False):
                pass
        self._deployed.append(plan.name)
        self._memory_mb[plan.name] = source.settings.memory_mb

    def calibrate(self, plan: FunctionPlan) -> float:
        """Turns of the busy loop in a millisecond, where it runs; its sandbox goes again."""
        answer = self.client.json("POST", f"/function/{plan.name}", {"calibrate": True})
        self.client.json("POST", f"/api/functions/{plan.name}/evict", {"templates": False})
        return float(answer["per_ms"])

    def calls(self, plans: Sequence[FunctionPlan], there: Collection[str] = ()) -> tuple[Call, ...]:
        """How each is asked; the busy loop is calibrated on the way. `there`: somebody else's, asked with {}."""
        ours = [plan for plan in plans if plan.body.kind != "example" and plan.name in self._deployed]
        per_ms = self.per_ms = self.calibrate(ours[0]) if ours else 0.0

        def call(plan: FunctionPlan) -> Call:
            if plan.name in there:
                return fixed_call(plan.name, self.host, self.token, Known(path=plan.body.path))
            if plan.body.kind == "example":
                known = known_input(example_of(plan.body), plan.body.path)
                return fixed_call(plan.name, self.host, self.token, known)
            return timed_call(plan, self.host, self.token, per_ms)

        return tuple(call(plan) for plan in plans)

    def use(self, plans: Sequence[FunctionPlan]) -> list[str]:
        """Take them as they are on the server; the names of those that no load run deployed.

        Raises:
            NotFound: one of them is not deployed.
        """
        there = {row["function"] for row in self.client.functions()}
        missing = [plan.name for plan in plans if plan.name not in there]
        if missing:
            raise NotFound(f"not deployed: {', '.join(missing[:5])}", "leave --no-deploy out, or deploy them")
        settings = {plan.name: self._settings(plan.name) for plan in plans}
        self._memory_mb |= {name: each["memory_mb"] for name, each in settings.items()}
        ours = [name for name, each in settings.items() if MARK in each["env"]]
        self._deployed, self._keep = [*self._deployed, *ours], True
        return [plan.name for plan in plans if plan.name not in ours]

    def clear(self) -> None:
        deployed, self._deployed = self._deployed, []
        for name in deployed:
            try:
                self.client.json("DELETE", f"/api/functions/{quoted(name)}")
            except AttaccaError:  # the server is gone, or somebody was quicker
                continue

    def memory_mb(self, plan: FunctionPlan) -> int:
        return self._memory_mb.get(plan.name, plan.memory_mb)

    def _is_ours(self, name: str) -> bool:
        return MARK in self._settings(name)["env"]

    def _settings(self, name: str) -> dict[str, Any]:
        settings: dict[str, Any] = self.client.json("GET", f"/api/functions/{quoted(name)}")["settings"]
        return settings

    @property
    def is_here(self) -> bool:
        """The server is on this machine, and its clocks are ours."""
        return urllib.parse.urlsplit(self.client.url).hostname in ("localhost", "127.0.0.1", "::1")

    def clock_ahead_s(self) -> tuple[float, float]:
        """The server's wall clock, of ours, and by how much that may be wrong: from the quickest of several answers."""
        if self.is_here:
            return 0.0, 0.0
        clock, offsets = SystemClock(), []
        for _ in range(EXCHANGES):
            began = clock.wall()
            server_wall = float(self.client.json("GET", "/api/info")["at"])
            took_s = clock.wall() - began
            offsets.append((took_s / 2, server_wall - began - took_s / 2))
        error_s, ahead_s = min(offsets)
        return ahead_s, error_s


class Samples:
    """What the workers say of themselves; with the load of the machine's cores when the server is on this one."""

    def __init__(self, client: Client, *, is_here: bool) -> None:
        self._client = client.another()
        self._is_here = is_here
        self._busy, self._total = _jiffies() if self._is_here else (0, 0)

    def __repr__(self) -> str:
        return f"<Samples {self._busy} of {self._total} jiffies>"

    def __call__(self) -> Sequence[SampleRow]:
        try:
            workers = self._client.json("GET", "/api/workers")
        except AttaccaError:
            return []  # it has too much to do, or is gone: the records say more about that
        cpu = self._cpu() if self._is_here else None
        return [_sample(worker, cpu) for worker in workers]

    def _cpu(self) -> float | None:
        busy, total = _jiffies()
        since, self._busy, self._total = (busy - self._busy, total - self._total), busy, total
        return since[0] / since[1] if since[1] > 0 else None

    def close(self) -> None:
        self._client.close()


def perform(
    scenario: Scenario,
    environment: Environment,
    records: RecordSink,
    *,
    schedule: Schedule,
    calls: tuple[Call, ...],
    processes: int = 1,
    ahead_s: float = 0.0,
    show: Callable[[Shown], None] | None = None,
) -> Ended:
    """Run it, with Ctrl-C to stop sending and a second one to stop waiting; what was recorded stays.

    `ahead_s`: by so much the server's clock is ahead of ours.

    Raises:
        Unreachable: nobody listens there.
    """
    import uvloop

    parts = urllib.parse.urlsplit(environment.client.url)
    if parts.scheme != "http" or not parts.hostname:
        raise BadConfig(f"load goes over plain HTTP, not to {environment.client.url}", "--target http://HOST:PORT")
    workers = [worker["name"] for worker in environment.client.json("GET", "/api/workers?function=")]
    live = Live(
        scenario=scenario,
        calls=calls,
        host=parts.hostname,
        port=parts.port or 80,
        processes=processes,
        worker=workers[0] if len(workers) == 1 else "",
        memory_mb=tuple(environment.memory_mb(target.plan) for target in schedule.functions),
        is_here=environment.is_here,
        clock_ahead_s=ahead_s,
    )
    samples = Samples(environment.client, is_here=environment.is_here)

    async def main() -> Ended:
        ending = Ending()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, ending.interrupt)
        return await Runner(live, schedule, records).run(ending, samples, show)

    try:
        return uvloop.run(main())
    finally:
        samples.close()


def with_examples(schedule_plans: Sequence[FunctionPlan], examples: Mapping[str, str]) -> tuple[FunctionPlan, ...]:
    """The plans, those that have an example with it in place of our own body."""
    return tuple(
        msgspec.structs.replace(plan, body=msgspec.structs.replace(plan.body, kind="example", example=example))
        if (example := examples.get(plan.name, ""))
        else plan
        for plan in schedule_plans
    )


def _sample(worker: dict[str, Any], cpu: float | None) -> SampleRow:
    sandboxes = worker["sandboxes"]
    return (
        worker["name"],
        len(sandboxes),
        sum(1 for sandbox in sandboxes if sandbox["busy"]),
        worker["queued"],
        worker["running"],
        worker["used_mb"],
        cpu,
    )


def _jiffies() -> tuple[int, int]:
    """Of all cores together: busy, and all."""
    numbers = [int(number) for number in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(numbers) - numbers[3] - numbers[4], sum(numbers)
