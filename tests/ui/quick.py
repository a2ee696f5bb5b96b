"""How quick the first view is with many functions and workers, what is sent for it, and what open dashboards cost."""

import asyncio
import http.client
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec

from attacca.control.watching import event
from attacca.dashboard.showing import show
from attacca.gateway.config import GatewayConfig
from attacca.gateway.driver import Gateway
from attacca.gateway.http.asgi_adapter import Receive, Scope, Send
from attacca.gateway.http.listener import serve
from attacca.gateway.http.server import HttpServer
from attacca.kernel.clock import SystemClock
from attacca.kernel.ids import Ids
from attacca.kernel.rand import Streams
from attacca.model.history import STEP_S, FunctionNow, HistoryTold, Step, bucket
from attacca.model.overview import history, overview
from attacca.model.resources import Resources
from attacca.model.sandbox import MachineLoad, WorkerView
from tests.live.whole import Whole, resident_mb, running
from tests.ui.browser import opened

FUNCTIONS, WORKERS, DASHBOARDS, CALLS = 500, 20, 100, 400
VIEW_S, SENT_KB = 1.0, 300
TRIES = 5
LOAD = MachineLoad(cpu_share=0.5, load_1m=1.5, memory_free_mb=1, disk_free_mb=1, received_mb_s=0, sent_mb_s=0)


def measure(chromium: Any, place: Path) -> Iterator[str]:
    yield from first_view(chromium)
    yield from open_ones(place)


def first_view(chromium: Any) -> Iterator[str]:
    with many() as url, opened(chromium, url + "/ui", may_fail=(404,)) as page:
        drawn(page)
        sent = page.evaluate("performance.getEntries().reduce((sum, one) => sum + (one.transferSize || 0), 0)")
        events = len(event(b"overview", msgspec.json.encode(fed().overview)))  # a stream has no size before its end
        assert sent + events <= SENT_KB << 10, sent + events
        yield f"{FUNCTIONS} functions, {WORKERS} workers: {(sent + events) / 1024:.0f} KB sent for the first view"
        took, floor = [], []
        for _ in range(TRIES):
            page.goto(url + "/ui/-/none")
            floor.append(page.evaluate("performance.now()") / 1000)
            page.goto("about:blank")
            page.goto(url + "/ui")
            took.append(drawn(page) / 1000)
        yield f"a page of one line: {min(floor):.2f} s to {max(floor):.2f} s"
        assert min(took) <= VIEW_S, took
        yield f"first view on a warm cache: {min(took):.2f} s to {max(took):.2f} s, of {TRIES}"
        page.evaluate("location.hash = '#/functions'")
        page.get_by_role("button", name=f"Show all {FUNCTIONS}").click()
        page.wait_for_function("count => document.querySelectorAll('tbody tr').length === count", arg=FUNCTIONS)
        yield f"all {FUNCTIONS} in a table"


def drawn(page: Any) -> float:
    """Milliseconds from its being asked for until functions, workers, numbers and charts stand there."""
    page.wait_for_function(
        "count => document.querySelectorAll('.meter').length === count && document.querySelector('.chart rect')",
        arg=WORKERS,
    )
    return float(page.evaluate("performance.now()"))


class Fed:
    """What an admin API of a large cluster says."""

    def __init__(self, wall: float) -> None:
        took = tuple((bucket(ms), 100) for ms in (0.5, 2.0, 20.0, 300.0))
        functions = tuple(
            FunctionNow(function=f"function-{number:03}", revision=1, running=number % 3, ended=number * 977, took=took)
            for number in range(FUNCTIONS)
        )
        workers = tuple(
            WorkerView(
                name=f"worker-{number}", capacity=Resources(65_536), used=Resources(20_000), queued=0, running=9,
                limit=64, cores=16, load=LOAD, idle={"function-001": 5},
            )
            for number in range(WORKERS)
        )  # fmt: skip
        steps = tuple(Step(at=wall - number * STEP_S, warm=900, cold=20, took=took) for number in range(359, -1, -1))
        told = [HistoryTold("", steps, functions, workers)]
        self.overview = overview(told, [(one.name, False, False) for one in workers], ["g1", "g2"])
        self.history = history(told, STEP_S)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        path = str(scope["path"])
        is_stream = path == "/api/events"
        kind = b"text/event-stream" if is_stream else b"application/json"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        if is_stream:
            told = event(b"overview", msgspec.json.encode(self.overview))
            await send({"type": "http.response.body", "body": told, "more_body": True})
            await receive()
            return
        body = msgspec.json.encode(self.history if path == "/api/history" else [])
        await send({"type": "http.response.body", "body": body})


def fed() -> Fed:
    return Fed(SystemClock().wall())


@contextmanager
def many() -> Iterator[str]:
    """A listener as the server's, whose admin API says that there is much. Its address."""
    loop, ports = asyncio.new_event_loop(), list[int]()
    ready, over = threading.Event(), asyncio.Event()

    async def run() -> None:
        clock, streams = SystemClock(), Streams.from_entropy()
        config = GatewayConfig(port=0)
        nobody = Gateway(config, clock, Ids(streams.stream("ids")), streams.stream("balancing"), lambda _, __: None)
        server = HttpServer(nobody, config, fed().answer, lambda: True, None)
        show(server, lambda _: False, clock)
        ports.append((await serve(server)).sockets[0].getsockname()[1])
        ready.set()
        await over.wait()
        server.end()
        await server.ended()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    ready.wait(10)
    try:
        yield f"http://127.0.0.1:{ports[0]}"
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(20)
        loop.close()


def open_ones(place: Path) -> Iterator[str]:
    """A hundred that follow, of which half never read, in turns with none."""
    with running(place / "state") as whole:
        whole.function("echo", "def echo(n=0):\n    return n\n")
        p50s: dict[bool, list[float]] = {False: [], True: []}
        calls(whole)
        for _ in range(3):
            p50s[False].append(calls(whole))
            with followers(whole):
                p50s[True].append(calls(whole))
        before = resident_mb(whole.pid)
        with followers(whole):
            calls(whole)
            grown = resident_mb(whole.pid) - before
        ratio = statistics.median(p50s[True]) / statistics.median(p50s[False])
        yield f"{DASHBOARDS} open dashboards: p50 of invocations {ratio:.2f} x that without, {grown:.1f} MB more"


@contextmanager
def followers(whole: Whole) -> Iterator[None]:
    with ExitStack() as closing:
        for number in range(DASHBOARDS):
            follower = closing.enter_context(socket.create_connection(("127.0.0.1", whole.port), 10))
            follower.sendall(b"GET /api/events HTTP/1.1\r\nhost: localhost\r\n\r\n")
            if number % 2:
                assert follower.recv(4096).startswith(b"HTTP/1.1 200")
        yield


def calls(whole: Whole) -> float:
    """The median, in milliseconds, on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", whole.port, timeout=30)
    took = []
    for _ in range(CALLS):
        began = time.perf_counter()
        connection.request("GET", "/function/echo?n=1")
        assert connection.getresponse().read() == b"1"
        took.append((time.perf_counter() - began) * 1000)
    connection.close()
    return statistics.median(took)
