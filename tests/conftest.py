"""Which tests are live is decided by their directory; every other test is held to being pure."""

import asyncio
import cProfile
import gc
import inspect
import itertools
import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers

from attacca.cores import are_compiled
from tests.logged import Logged

# Laws are tried on a handful of cases while somebody waits, on many by `make long`. No deadlines: machines are noisy.
settings.register_profile("quick", max_examples=3, deadline=None)
settings.register_profile("many", max_examples=100, deadline=None)
settings.register_profile("thorough", max_examples=2000, deadline=None)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "quick")
settings.load_profile(PROFILE)


def draw_no_constants() -> None:
    """Hypothesis also draws what stands in any module of ours: reading all takes longer than a handful of cases."""
    inside = vars(providers)
    if inside.keys() >= {"_get_local_constants", "_local_constants"}:
        inside["_get_local_constants"] = lambda: inside["_local_constants"]


if PROFILE == "quick":
    draw_no_constants()

for size in ("COLUMNS", "LINES"):  # of the terminal, if any: readline puts them into what xdist starts
    os.environ.pop(size, None)

# Collecting as often as Python does by itself is a fifth of the pure tests' time. Collecting hardly ever leaves much to
# walk at the end, and takes more memory from the kernel: this costs least.
gc.set_threshold(10_000, 50, 100)

MEMORY, ROOM_MB = Path("/dev/shm"), 1024
MOST_CALLS = 60_000  # by one pure test: a hundredth of a second
LIVE = Path(__file__).parent / "live"
HEART = {  # of the live tests: what is run again as an ordinary user, and on another interpreter
    "test_cores.py", "test_gateway_http.py", "test_process_calls.py", "test_process_dialects.py",
    "test_process_lives.py", "test_worker_trace.py",
}  # fmt: skip
FIRST = {  # which take longest, so that nobody waits for one of them alone
    "test_wheel.py", "test_validate.py", "test_watch.py", "test_workflows.py", "test_write_a_policy.py",
}  # fmt: skip
WORLDLY = {  # audit events that a pure test has no business with
    "os.exec": "starts a program",
    "os.fork": "forks",
    "os.forkpty": "forks",
    "os.posix_spawn": "starts a program",
    "os.system": "starts a program",
    "socket.bind": "opens a socket",
    "socket.connect": "opens a socket",
    "socket.getaddrinfo": "looks up a name",
    "socket.sendto": "sends to a socket",
    "subprocess.Popen": "starts a program",
}


class Watch:
    """An audit hook can never be taken out again, so there is one, and it looks only while a pure test runs."""

    def __init__(self) -> None:
        self.test = ""

    def refuse(self, event: str, what: str) -> None:
        if self.test:
            pytest.fail(f"{self.test} {what} ({event}): use an in-memory twin, or move it to tests/live/")


class Refused:
    """An event's name, as the key of a dictionary: it is refused when it is found.

    Two hundred thousand events come by, hardly any of them a worldly one. A dictionary's `get` looks without Python.
    """

    def __init__(self, event: str) -> None:
        self.event = event

    def __repr__(self) -> str:
        return f"<Refused {self.event}>"

    def __hash__(self) -> int:
        return hash(self.event)

    def __eq__(self, other: object) -> bool:
        if other == self.event:
            watch.refuse(self.event, WORLDLY[self.event])
        return False


numbers = itertools.count()
watch = Watch()
refused: dict[object, None] = {Refused(event): None for event in WORLDLY}
sys.addaudithook(refused.get)


def watch_sleep() -> None:
    """Python tells of sleeping only from 3.14 on."""
    thread_sleep, task_sleep = time.sleep, asyncio.sleep

    def sleep(seconds: float) -> None:
        watch.refuse("time.sleep", "sleeps")
        thread_sleep(seconds)

    async def nap(delay: float, result: object = None) -> object:
        if delay > 0:
            watch.refuse("asyncio.sleep", "sleeps")
        return await task_sleep(delay, result)

    vars(time)["sleep"], vars(asyncio)["sleep"] = sleep, nap


watch_sleep()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(f"Cores: {'compiled' if are_compiled() else 'Python'}")


@pytest.fixture(scope="session")
def written() -> Iterator[Path]:
    """Where pure tests write: in memory, where there is enough. Nothing of it is kept."""
    is_roomy = os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM_MB << 20
    with tempfile.TemporaryDirectory(
        prefix="attacca-tests-", dir=MEMORY if is_roomy else None, ignore_cleanup_errors=True
    ) as path:
        yield Path(path)


@pytest.fixture
def logged() -> Iterator[Logged]:
    heard = Logged()
    logging.getLogger().addHandler(heard)
    yield heard
    logging.getLogger().removeHandler(heard)


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest) -> Path:
    """A pure test's own directory. A live one's is pytest's, on the disk: making and removing those takes a while."""
    if request.node.get_closest_marker("live"):
        path: Path = request.getfixturevalue("tmp_path")
        return path
    name = "".join(sign if sign.isalnum() else "_" for sign in request.node.name[:30])
    path = request.getfixturevalue("written") / f"{next(numbers)}-{name}"
    path.mkdir()
    return path


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--weigh", action="store_true", help=f"fail tests that make more than {MOST_CALLS:,} calls")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Calls of Python's functions are as many on every machine and at every hour."""
    if not item.config.getoption("weigh") or item.get_closest_marker("hypothesis"):  # what is drawn takes more or less
        return (yield)
    counter = cProfile.Profile(builtins=False)
    counter.enable()
    try:
        result = yield
    finally:
        counter.disable()
    calls = sum(entry.callcount for entry in counter.getstats())
    if calls > MOST_CALLS:
        pytest.fail(f"{calls:,} calls, more than {MOST_CALLS:,}: let it ask for less, or mark it as long")
    return result


def say_where(item: pytest.Item) -> None:
    """What pytest otherwise asks the disk for at each test, and keeps under this name."""
    if isinstance(item, pytest.Function):
        line = inspect.unwrap(item.function).__code__.co_firstlineno - 1
        vars(item)["location"] = item.nodeid.partition("::")[0], line, item.name


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in FIRST)
    for item in items:
        say_where(item)
        if item.path.is_relative_to(LIVE):
            item.add_marker(pytest.mark.live)
            if item.path.name in HEART:
                item.add_marker(pytest.mark.heart)


def pytest_collection_finish() -> None:
    """What was imported and collected stays: it need not be walked again and again, nor now."""
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """pytest then collects five times, so that nothing is closed unseen. Once is enough for what was there."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """From the test's first fixture to its last."""
    watch.test = "" if item.get_closest_marker("live") else item.name
    try:
        return (yield)
    finally:
        watch.test = ""
