"""What it costs to be looked at: spans, metrics, points and dashboards beside warm invocations, and large pages."""

import asyncio
import contextlib
import gc
import http.client
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Coroutine, Iterator
from pathlib import Path

import msgspec

from attacca.cli.serve.running import COLLECT
from attacca.control.looking import Looking
from attacca.control.watching import event
from attacca.gateway.config import GatewayConfig
from attacca.gateway.core.history import History
from attacca.gateway.driver import Gateway
from attacca.io.exposition import Form
from attacca.io.posting import Posted
from attacca.io.shipping import Shipper, ShippingLimits
from attacca.io.timeseries.influx import Influx1
from attacca.io.timeseries.lines import body
from attacca.io.timeseries.types import Point, TimeSeries
from attacca.kernel.clock import SystemClock
from attacca.kernel.ids import Ids
from attacca.kernel.rand import Streams
from attacca.model.function import PythonDirectory, Revision, Settings, Signature
from attacca.model.history import FunctionNow, HistoryTold
from attacca.model.messages import Catalogue
from attacca.model.overview import Overview, changed
from bench.client import Client
from bench.result import Result, Round
from bench.server import HERE, Attacca, attacca, free_port, wait_until_open
from tests.live.influx2 import ORG, PROGRAM, TOKEN, Database2
from tests.live.test_timeseries import Database

BLOCK = 100  # invocations, before the other server has its turn
DASHBOARDS = 5
SCRAPED_S = 1.0  # Prometheus would look each quarter of a minute
BATCH = 5_000  # points that are written at once
SINK = """
import asyncio, sys
async def answer(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\\r\\n\\r\\n")).lower()
            _, found, size = head.partition(b"content-length:")
            await reader.readexactly(int(size.split(b"\\r\\n")[0]) if found else 0)
            writer.write(b"HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\n{}")
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()
async def main():
    async with await asyncio.start_server(answer, "127.0.0.1", int(sys.argv[1]), limit=1 << 24) as server:
        await server.serve_forever()
asyncio.run(main())
"""


def seen(rounds: int, calls: int) -> Iterator[Result]:
    """Warm invocations of a server that is watched, beside those of one that is not: a hundred of each in turns."""
    with sink() as url:
        traces = ("--set", f"otlp.url={url}", "--set", "otlp.rate=0.01", "--set", "otlp.slow_share=0")
        traced = _beside(rounds, calls, (*traces, "--set", 'otlp.signals=["traces"]'))
        yield Result("warm p50, 1 connection, 1 % of traces sampled", "us", "without", 1.03, traced)
        signals = ("--set", 'otlp.signals=["traces","metrics","logs"]', "--set", "otlp.metrics_s=1")
        series = ("--set", f"series.url={url}", "--set", "series.every_s=1")
        every = _beside(rounds, calls, ("--set", f"otlp.url={url}", *signals, *series), is_watched=True)
        name = f"warm p50, 1 connection: traces, metrics, logs, series, {DASHBOARDS} dashboards, a scrape a second"
        yield Result(name, "us", "without", 1.05, every)


def _beside(rounds: int, calls: int, options: tuple[str, ...], *, is_watched: bool = False) -> list[Round]:
    """Each round has servers of its own: one of two that are alike may be quicker for as long as it lives."""
    return [_round(calls, options, is_watched=is_watched) for _ in range(rounds)]


def _round(calls: int, options: tuple[str, ...], *, is_watched: bool) -> Round:
    with attacca(*options) as on, attacca() as off:
        for server in (on, off):
            server.deploy(HERE / "functions" / "echo", "--name", "echo", "--max", "2", "--queue", "1000")
        took: dict[int, list[float]] = {on.port: [], off.port: []}
        with _watching(on) if is_watched else contextlib.nullcontext():
            for number in range(calls // BLOCK):
                for server in (on, off) if number % 2 else (off, on):
                    took[server.port] += _block(server.port)
    ours, lowest = (sorted(took[server.port]) for server in (on, off))
    return Round(ours[len(ours) // 2], lowest[len(lowest) // 2])


def _block(port: int) -> list[float]:
    """Microseconds of each invocation, after some that wake the server."""
    client = Client(port)
    for _ in range(BLOCK // 5):
        client.post("/function/echo")
    took = [client.post("/function/echo").took_s * 1e6 for _ in range(BLOCK)]
    client.close()
    return took


@contextlib.contextmanager
def _watching(server: Attacca) -> Iterator[None]:
    """Dashboards that follow, and somebody who scrapes."""
    over = threading.Event()

    def look() -> None:
        with contextlib.ExitStack() as closing:
            for _ in range(DASHBOARDS):
                follower = closing.enter_context(socket.create_connection(("127.0.0.1", server.port), 10))
                follower.sendall(b"GET /api/events HTTP/1.1\r\nhost: localhost\r\n\r\n")
            while not over.wait(SCRAPED_S):
                connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
                for path in ("/metrics", "/api/history"):
                    connection.request("GET", path)
                    connection.getresponse().read()
                connection.close()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def sink() -> Iterator[str]:
    """The address of what takes all that it is sent, in a process of its own."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", SINK, str(port)], start_new_session=True)
    try:
        wait_until_open(port, process, None)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def pages(rounds: int, functions: int) -> Iterator[Result]:
    """The metrics page of many functions, written in another thread: processor time of the loop's own; and the longest
    turn of a step of the history, and of a look for those who watch."""
    gate = _many(functions)
    gc.collect()
    gc.freeze()  # as a server does that has begun
    gc.set_threshold(*COLLECT)
    loops, turns, looks = [], [], []
    for _ in range(rounds):
        loops.append(Round(asyncio.run(_loop_ms(gate)), 1.0))
        turns.append(Round(_longest_turn_ms(gate), 1.0))
        looks.append(Round(_longest_look_ms(gate), 1.0))
    yield Result(f"metrics page of {functions:,} functions, time of the loop", "ms", "", 50.0, loops)
    yield Result(f"step of the history of {functions:,} functions, longest turn of the loop", "ms", "", 50.0, turns)
    yield Result(f"look at {functions:,} functions for dashboards, longest turn of the loop", "ms", "", 10.0, looks)


def _many(functions: int) -> Gateway:
    streams = Streams(1)
    gate = Gateway(
        GatewayConfig(), SystemClock(), Ids(streams.stream("ids")), streams.stream("balancing"), lambda _, __: None
    )
    made = tuple(
        Revision(
            function=name, number=1, settings=Settings(name=name), handler="main:main", signature=Signature.EVENT,
            artefact=PythonDirectory("c0de"),
        )
        for name in (f"function-{number}" for number in range(functions))
    )  # fmt: skip
    gate.receive(Catalogue(1, made))
    for one in gate.functions.by_name.values():
        for seconds in (0.001, 0.02, 0.3):
            one.statistics.duration.add(seconds)
    return gate


async def _loop_ms(gate: Gateway) -> float:
    """What the loop's thread works while the page is written, and the connection's part of it."""
    before = resource.getrusage(resource.RUSAGE_THREAD)
    page = await asyncio.to_thread(gate.metrics(Form.OPEN))
    after = resource.getrusage(resource.RUSAGE_THREAD)
    assert page.count(b"\n") > len(gate.functions.by_name) * 30
    return ((after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)) * 1e3


def _longest_turn_ms(gate: Gateway) -> float:
    history = History()
    longest = 0.0
    for _ in range(7):
        for one in gate.functions.by_name.values():
            one.statistics.taken += 5
            one.statistics.ended["warm"] += 5
        parts = history.parts(time.time(), gate.functions.by_name)
        while True:
            began = time.thread_time()
            is_over = next(parts, parts) is parts
            longest = max(longest, time.thread_time() - began)
            if is_over:
                break
    return longest * 1e3


def _longest_look_ms(gate: Gateway) -> float:
    """All of them have been called since the look before; each turn is one of the gateway, of control, or the event."""
    looking, history, before, longest = Looking(), History(), Overview(), 0.0
    for _ in range(3):
        for one in gate.functions.by_name.values():
            one.statistics.ended["warm"] += 5
        rows: list[FunctionNow] = []
        for parts in (
            history.rows(gate.functions.by_name.values(), rows),
            _turns(_seen(looking, rows, before)),
        ):
            while True:
                began = time.thread_time()
                is_over = next(parts, parts) is parts
                longest = max(longest, time.thread_time() - began)
                if is_over:
                    break
    return longest * 1e3


async def _seen(looking: Looking, rows: list[FunctionNow], before: Overview) -> bytes:
    now = await looking.look([HistoryTold("", functions=tuple(rows))], [], ["g1"])
    return event(b"change", msgspec.json.encode(changed(before, now)))


def _turns(made: Coroutine[object, None, bytes]) -> Iterator[None]:
    while True:
        try:
            made.send(None)
        except StopIteration:
            return
        yield


def series(rounds: int, points: int) -> Iterator[Result]:
    """So many points through the writer into InfluxDB, beside curl that sends the same lines; and into InfluxDB 2,
    where that is here."""
    yield _into_1(rounds, points)
    if shutil.which(PROGRAM) is not None:
        yield _into_2(rounds, points)


def _into_2(rounds: int, points: int) -> Result:
    found = []
    with tempfile.TemporaryDirectory(prefix="attacca-bench-") as directory:
        at = Path(directory)
        database = Database2(at)
        url = f"{database.url}/api/v2/write?org={ORG}&bucket={ORG}&precision=ns"
        try:
            for round_ in range(rounds):
                spent = _by_writer(database.door(), _points(2 * round_, points))
                floor = _by_curl(url, _points(2 * round_ + 1, points), at, "-H", f"authorization: Token {TOKEN}")
                found.append(Round(points / spent, points / floor))
            newest = database.door().last("worker_load", "name", 4e9, 4e9)
            assert len(newest) == 20, newest
        finally:
            database.stop()
    return Result(f"{points:,} points into InfluxDB 2", "/s", "curl with the same lines", 0.5, found, at_least=True)


def _into_1(rounds: int, points: int) -> Result:
    found = []
    with tempfile.TemporaryDirectory(prefix="attacca-bench-") as directory:
        at = Path(directory)
        database = Database(at)
        try:
            doors = Influx1(database.url, "bench", timeout_s=60)
            doors.prepare()
            for round_ in range(rounds):
                spent = _by_writer(doors, _points(2 * round_, points))
                floor = _by_curl(f"{database.url}/write?db=bench&precision=ns", _points(2 * round_ + 1, points), at)
                found.append(Round(points / spent, points / floor))
            url = f"{database.url}/query?db=bench&q=SELECT%20COUNT(cpu_util)%20FROM%20worker_load"
            with urllib.request.urlopen(url) as answer:
                kept = answer.read()
            assert f",{2 * rounds * points}]".encode() in kept, kept
        finally:
            database.stop()
    return Result(f"{points:,} points into InfluxDB", "/s", "curl with the same lines", 0.5, found, at_least=True)


def _points(number: int, count: int) -> list[Point]:
    fields = ("cpu_loadavg", "cpu_util", "host_mem_pct")
    return [
        Point(
            measurement="worker_load", tags=(("name", f"w{one % 20}"), ("node_type", "worker")),
            fields=tuple((field, one / 7) for field in fields), at=1.7e9 + number * 1e6 + one,
        )
        for one in range(count)
    ]  # fmt: skip


def _by_writer(doors: TimeSeries, made: list[Point]) -> float:
    refused: list[Posted] = []

    def send(batch: list[Point]) -> Posted:
        posted = doors.write(batch)
        if posted.status != 204:
            refused.append(posted)
        return posted

    shipper: Shipper[Point] = Shipper("it", send, ShippingLimits(held=len(made), batch=BATCH))
    began = time.perf_counter()
    shipper.open()
    for point in made:
        shipper.put(point)
    shipper.close(grace_s=120)
    spent = time.perf_counter() - began
    assert (shipper.sent, refused) == (len(made), []), shipper
    return spent


def _by_curl(url: str, made: list[Point], at: Path, *fields: str) -> float:
    files = []
    for number in range(0, len(made), BATCH):
        files.append(at / f"{number}.lines")
        files[-1].write_bytes(body(made[number : number + BATCH]))
    began = time.perf_counter()
    for file in files:
        command = ["curl", "-sf", "-XPOST", url, *fields, "--data-binary", f"@{file}"]
        subprocess.run(command, check=True)
    return time.perf_counter() - began
