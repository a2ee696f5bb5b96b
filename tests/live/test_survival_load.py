"""Far more at once than there is room for, and hundreds of functions that come and go."""

import asyncio
import contextlib
import gc
import io
import json
import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import uvloop

from attacca.cli.serve.configuration import load
from attacca.cli.serve.server import Server
from attacca.control.core.progress import Done
from attacca.control.deploy.reception import Upload
from attacca.model.function import Settings
from tests.live.whole import Onlooker, at_once, post, resident_mb, running, tarball, until_nothing_is_left

CLIENTS, SLOTS, QUEUE = 500, 4, 100
FOUR_AT_ONCE = ("--set", "worker.concurrency.policy=fixed", "--set", f"worker.concurrency.options.count={SLOTS}")
WORK = """
    import time

    def work(ms=10):
        began = time.monotonic()
        time.sleep(ms / 1e3)
        return [began, time.monotonic()]
"""
CYCLES, LANES = 400, 8
PLAIN = "def f(n=1):\n    return n\n"


def test_five_hundred_at_once_are_all_answered_and_the_counts_add_up(tmp_path: Path) -> None:
    with running(tmp_path / "state", *FOUR_AT_ONCE) as whole:
        whole.function("work", WORK, queue=QUEUE)
        answers = at_once(whole, [post("/function/work")] * CLIENTS)
        statuses = Counter(answer.status for answer in answers)
        assert set(statuses) == {200, 429}
        assert sum(statuses.values()) == CLIENTS
        assert statuses[200] >= QUEUE
        for answer in answers:
            if answer.status == 429:
                assert answer.code == "queue_full"
                assert int(answer.headers["retry-after"]) >= 1
        spans = [answer.value for answer in answers if answer.status == 200]
        assert most_at_once(spans) <= SLOTS
        metrics, worker = whole.metrics(), whole.worker()
        ended = sum(count for name, count in metrics.items() if name.startswith("faas_invocations_total"))
        assert ended == statuses[200]
        assert metrics['faas_refused_total{faas_name="work"}'] == statuses[429]
        assert metrics['faas_errors_total{code="queue_full",faas_name="work"}'] == statuses[429]
        assert metrics['faas_queue_depth{faas_name="work"}'] == metrics['faas_in_flight{faas_name="work"}'] == 0
        [view] = worker["functions"]
        starts = Counter(answer.headers["x-attacca-start"] for answer in answers if answer.status == 200)
        assert (view["invocations"], view["errors"]) == (statuses[200], 0)
        assert {name: view[name] for name in starts} == starts
        assert (worker["queued"], worker["running"], worker["limit"]) == (0, 0, SLOTS)
        assert sum(one["served"] for one in worker["sandboxes"]) == statuses[200]
        calls = whole.get(f"/api/calls?function=work&limit={CLIENTS}")
        assert len({call["id"] for call in calls}) == statuses[200]
        assert whole.is_well()
    assert whole.left() == []


def most_at_once(spans: list[tuple[float, float]]) -> int:
    edges = sorted([(began, 1) for began, _ in spans] + [(ended, -1) for _, ended in spans])
    depth = most = 0
    for _, step in edges:
        depth += step
        most = max(most, depth)
    return most


def test_many_functions_at_once_share_the_slots_and_the_memory(tmp_path: Path) -> None:
    """More sandboxes are wanted than memory holds: those of other functions go, and nobody is forgotten."""
    with running(tmp_path / "state", "--memory", "640", *FOUR_AT_ONCE) as whole:
        names = [f"work-{number}" for number in range(8)]
        for name in names:
            whole.function(name, WORK, queue=1000)
        answers = at_once(whole, [post(f"/function/{name}") for name in names * 20])
        assert Counter(answer.status for answer in answers) == {200: 160}
        worker = whole.worker()
        assert worker["used_mb"] <= worker["memory_mb"]
        assert worker["queued"] == worker["running"] == 0


def test_hundreds_of_deployments_come_and_go_and_leave_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state"
    flags: dict[str, tuple[object, str]] = {"state_dir": (str(state), ""), "port": (0, ""), "memory_mb": (2048, "")}
    eyes = Onlooker(os.getpid(), state)

    async def main() -> None:
        server = Server(load({"HOME": "/"}, "", flags).value)
        await server.open()
        try:
            await deploy(server, "stays", PLAIN)  # its code is that of most others, so that it is compiled once
            await cycles(server, range(CYCLES // 5))
            before = await at_rest(eyes, state)
            await cycles(server, range(CYCLES // 5, CYCLES))
            await at_rest(eyes, state, before)
        finally:
            await server.close()

    uvloop.run(main())
    until_nothing_is_left(eyes)


async def cycles(server: Server, numbers: range) -> None:
    async def lane(first: int) -> None:
        for number in numbers[first::LANES]:
            name = f"f-{number}"
            await deploy(server, name, PLAIN if number % 20 else f"{PLAIN}# {number}\n")
            if number % 5 == 0:
                assert await invoke(server, name) == number
            await server.control.delete(name)

    async with asyncio.TaskGroup() as lanes:
        for first in range(LANES):
            lanes.create_task(lane(first))


async def deploy(server: Server, name: str, source: str) -> None:
    words = [word async for word in server.control.deploy(Settings(name=name), Upload(io.BytesIO(tarball(source))))]
    assert isinstance(words[-1], Done), words[-1]


async def invoke(server: Server, name: str) -> object:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    writer.write(post(f"/function/{name}", json.dumps({"n": int(name[2:])}).encode()))
    raw = await reader.read()
    writer.close()
    assert raw.startswith(b"HTTP/1.1 200"), raw
    return json.loads(raw.partition(b"\r\n\r\n")[2])


class Held(NamedTuple):
    """What must not become more."""

    directories: tuple[int, ...]
    processes: int
    cgroups: int
    descriptors: int
    mounts: int
    zygote_descriptors: int
    zygote_mounts: int
    memory_mb: float
    zygote_mb: float


async def at_rest(eyes: Onlooker, state: Path, before: Held | None = None) -> Held:
    """Once nobody is left but keeper, zygote, and one template with who minds it, who makes its places, and two of
    them; and nothing is more than before."""
    now = held(eyes, state)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(10):
            while now.directories != (1, 0, 0, 0) or now.processes != 7 or is_more(now, before):
                await asyncio.sleep(0.05)
                now = held(eyes, state)
    assert (now.directories, now.processes) == ((1, 0, 0, 0), 7)
    assert not is_more(now, before), f"{before}\n{now}"
    return now


def is_more(now: Held, before: Held | None) -> bool:
    slack = Held((), 0, 6, 0, 0, 0, 0, 8, 4)  # groups that were busy when they were to go, go with the next
    return before is not None and any(
        one > two + more for one, two, more in zip(now[1:], before[1:], slack[1:], strict=True)
    )


def held(eyes: Onlooker, state: Path) -> Held:
    gc.collect()
    zygote = eyes.zygote()
    return Held(
        directories=tuple(len(os.listdir(state / name)) for name in ("code", "logs", "bundles", "tmp")),
        processes=len(eyes.family()),
        cgroups=max((sum(entry.is_dir() for entry in os.scandir(root)) for root in eyes.cgroups()), default=0),
        descriptors=len(os.listdir("/proc/self/fd")),
        mounts=Path("/proc/self/mountinfo").read_text().count("\n"),
        zygote_descriptors=len(os.listdir(f"/proc/{zygote}/fd")),
        zygote_mounts=Path(f"/proc/{zygote}/mountinfo").read_text().count("\n"),
        memory_mb=resident_mb(os.getpid()),
        zygote_mb=resident_mb(zygote),
    )
