"""Functions that do their worst, through the front door: each gets what it asked for, and everybody else goes on."""

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.patience import Later, patiently
from tests.live.whole import Answer, Whole, meanwhile, post, resident_mb, running, until

GROWTH_MB = 100  # that the server may need for a moment
SHORT_S = patiently(0.3)  # for a function that does not end by itself


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with running(tmp_path_factory.mktemp("whole") / "state") as one:
        yield one
        assert one.said == "", "no failure of ours"
    assert one.left() == []


@pytest.fixture(autouse=True)
def everybody_else_goes_on(whole: Whole) -> Iterator[None]:
    assert whole.is_well()
    before_mb = resident_mb(whole.pid)
    yield
    assert whole.is_well()
    assert resident_mb(whole.pid) < before_mb + GROWTH_MB


def deploy(whole: Whole, source: str, **settings: object) -> None:
    whole.function("hostile", source, **{"timeout_s": patiently(30.0), **settings})


def call(whole: Whole, **arguments: object) -> Answer:
    return whole.call("hostile", arguments)


def test_a_fork_bomb(whole: Whole) -> None:
    source = "import os\ndef hostile(n=1):\n    while n:\n        os.fork()\n    return 'well'\n"
    deploy(whole, source, memory_mb=512)  # the limit on processes comes first
    for _ in range(2):
        assert call(whole).code == "function_error"
    assert call(whole, n=0).body == b"well"


def test_a_bomb_that_catches_everything_is_stopped_by_the_clock(whole: Whole) -> None:
    source = """
        import os, time

        def hostile(n=1):
            while n:
                try:
                    os.fork()
                except OSError:
                    time.sleep(0.01)
            return "well"
    """
    deploy(whole, source, timeout_s=SHORT_S)
    assert call(whole).code == "timeout"
    until(lambda: whole.sandboxes("hostile") == [], "all of it is gone")
    assert call(whole, n=0).body == b"well"


def test_children_that_come_back_from_the_handler_are_no_sandboxes(whole: Whole) -> None:
    source = "import os\ndef hostile():\n    child = os.fork() == 0\n    print(child)\n    return os.getpid()\n"
    deploy(whole, source)
    assert len({call(whole).value for _ in range(5)}) == 1, "who answers is the sandbox itself, and always the same"
    [sandbox] = whole.sandboxes("hostile")
    assert sandbox["served"] == 5
    both = ["False"] * 5 + ["True"] * 5
    until(lambda: _said(whole) == both, "both are heard")


def _said(whole: Whole) -> list[str]:
    """What was printed here: children that an earlier test left without a process have said so."""
    return sorted(line for line in whole.logs("hostile").splitlines() if line in ("True", "False"))


def test_a_machine_short_of_memory_takes_functions_before_the_server(whole: Whole) -> None:
    source = """
        def hostile():
            try:
                with open("/proc/self/oom_score_adj", "w") as file:
                    file.write("-500")
            except OSError as error:
                return type(error).__name__
            return "done"
    """
    deploy(whole, source)
    assert call(whole).body in (b"OSError", b"PermissionError")
    worth = {}
    for pid in (whole.pid, *whole.family()):
        with contextlib.suppress(OSError):  # one that was on its way out
            worth[pid] = int(Path(f"/proc/{pid}/oom_score_adj").read_text())
    mine = worth.pop(whole.pid)
    assert worth.pop(whole.keeper()) == mine
    assert len(worth) > 1
    assert min(worth.values()) >= min(mine + 300, 1000)


@pytest.mark.parametrize("one", ["b'x' * (1 << 20)", "[0] * (1 << 17)"])
def test_allocating_without_end(whole: Whole, one: str) -> None:
    deploy(whole, f"def hostile(n=1):\n    held = []\n    while n:\n        held.append({one})\n    return 'well'\n")
    answer = call(whole)
    assert (answer.status, answer.code) == (500, "out_of_memory")
    assert "128 MB" in answer.error["message"]
    assert "memory_mb" in answer.error["try"]
    assert call(whole, n=0).body == b"well"


def test_allocating_in_children_counts_too(whole: Whole) -> None:
    source = """
        import os

        def hostile(n=4):
            held = []
            for _ in range(n):
                if os.fork() == 0:
                    while True:
                        held.append(b"x" * (1 << 20))
            for _ in range(n):
                os.wait()
            return "well"
    """
    deploy(whole, source)
    answer = call(whole)
    assert answer.status == 200 or answer.code in ("out_of_memory", "sandbox_lost")
    assert call(whole, n=0).body == b"well"


def test_filling_tmp(whole: Whole) -> None:
    source = """
        import os

        def hostile(n=10):
            for number in range(n):
                with open(f"/tmp/{number}", "wb") as file:
                    for _ in range(32):
                        file.write(bytes(1 << 20))
            return len(os.listdir("/tmp"))
    """
    deploy(whole, source, memory_mb=256)
    assert "No space left" in call(whole).error["message"]
    assert call(whole, n=0).value == 3, "its own mess is its own"
    deploy(whole, source, memory_mb=256)
    assert call(whole, n=0).value == 0


@pytest.mark.parametrize(
    "flood",
    ["print('x' * 1000)", "logging.error('x' * 1000)",
     "os.write(1, b'x' * 65536)", "os.write(2, b'x\\n' * 1000)", "subprocess.run(['sh', '-c', 'yes'])"],
)  # fmt: skip
def test_endless_logs(whole: Whole, flood: str) -> None:
    source = f"""
        import logging, os, subprocess

        def hostile(n=1):
            while n:
                {flood}
            print("still here")
            return "well"
    """
    deploy(whole, source, timeout_s=SHORT_S)
    flooding = Later(lambda: call(whole))
    assert meanwhile(flooding, lambda: whole.call("bystander", {"n": 1}).value == 2) > 1, "nobody waits for it"
    assert flooding.result().code == "timeout"
    until(lambda: call(whole, n=0).body == b"well" and "still here" in whole.logs("hostile"), "it is heard again")
    assert len(whole.logs("hostile")) < 20 << 20
    whole.delete("hostile")


def test_closing_its_descriptors(whole: Whole) -> None:
    deploy(whole, "import os\ndef hostile(n=4096):\n    n and os.closerange(0, n)\n    return 'well'\n")
    answer = call(whole)
    assert (answer.status, answer.code) == (502, "sandbox_lost")
    assert call(whole, n=0).body == b"well"
    assert call(whole, n=3).body == b"well", "standard input and output are its own"


@pytest.mark.parametrize(
    ("end", "says"),
    [("os._exit(3)", "status 3"), ("ctypes.string_at(0)", "SIGSEGV")],
)
def test_dying(whole: Whole, end: str, says: str) -> None:
    deploy(whole, f"import ctypes, os\ndef hostile(n=1):\n    n and {end}\n    return 'well'\n")
    for _ in range(3):
        answer = call(whole)
        assert (answer.status, answer.code) == (502, "sandbox_lost")
        assert says in answer.error["message"]
    assert call(whole, n=0).body == b"well"


def test_ignoring_every_signal_and_exception(whole: Whole) -> None:
    source = """
        import signal, time

        for number in set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP, 32, 33}:
            try:
                signal.signal(number, signal.SIG_IGN)
            except OSError:
                pass

        def hostile(n=1):
            while n:
                try:
                    time.sleep(100)
                except BaseException:
                    pass
            return "well"
    """
    deploy(whole, source, timeout_s=SHORT_S)
    assert call(whole).code == "timeout"
    until(lambda: whole.sandboxes("hostile") == [], "it is gone all the same")
    assert call(whole, n=0).body == b"well"


def test_a_gigabyte_back(whole: Whole) -> None:
    deploy(whole, "def hostile(n=1 << 30):\n    return bytes(n)\n", memory_mb=1200)
    answer = call(whole)
    assert (answer.status, answer.code) == (502, "response_too_large")
    assert len(call(whole, n=1 << 20).body) == 1 << 20


STREAM = """
    async def app(scope, receive, send):
        if scope["type"] != "http":
            return
        count, size = map(int, scope["query_string"].split(b","))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(count):
            await send({"type": "http.response.body", "body": bytes(size), "more_body": True})
        await send({"type": "http.response.body", "body": b""})
"""


@pytest.mark.parametrize("shape", ["1024,1048576", "8,134217728"])
def test_a_gigabyte_streamed_to_a_client_that_does_not_read(whole: Whole, shape: str) -> None:
    deploy(whole, STREAM, memory_mb=512, timeout_s=patiently(5.0))
    before_mb = resident_mb(whole.pid)
    with socket.create_connection(("127.0.0.1", whole.port)) as client:
        client.sendall(post(f"/function/hostile?{shape}"))
        assert client.recv(12) == b"HTTP/1.1 200"
        for _ in range(20):
            assert whole.is_well()
            assert resident_mb(whole.pid) < before_mb + GROWTH_MB
    assert whole.ask("POST", "/function/hostile?1,10").body == bytes(10)


def test_a_gigabyte_streamed_to_a_client_that_reads(whole: Whole) -> None:
    deploy(whole, STREAM, memory_mb=512)
    before_mb, got, most_mb = resident_mb(whole.pid), 0, 0.0
    with socket.create_connection(("127.0.0.1", whole.port)) as client:
        client.sendall(post("/function/hostile?1024,1048576"))
        while data := client.recv(1 << 20):
            got += len(data)
            most_mb = max(most_mb, resident_mb(whole.pid))
    assert got > 1 << 30
    assert most_mb < before_mb + GROWTH_MB


SLEEPER = """
    import time

    def hostile(s=60):
        time.sleep(s)
        return "well"
"""


def test_sleeping_past_its_timeout(whole: Whole) -> None:
    deploy(whole, SLEEPER, timeout_s=SHORT_S)
    answer = call(whole)
    assert (answer.status, answer.code) == (504, "timeout")
    assert f"clock timeout_s = {SHORT_S:g}" in answer.error["message"]
    assert "function.toml" in answer.error["try"]
    assert call(whole, s=0).body == b"well"


def test_a_slow_first_byte(whole: Whole) -> None:
    source = STREAM.replace("count, size", "import asyncio; await asyncio.sleep(60); count, size")
    deploy(whole, source, first_byte_s=SHORT_S)
    answer = whole.ask("POST", "/function/hostile?1,10")
    assert (answer.status, answer.code) == (504, "timeout")
    assert f"clock first_byte_s = {SHORT_S:g}" in answer.error["message"]
    deploy(whole, STREAM, first_byte_s=SHORT_S)
    assert whole.ask("POST", "/function/hostile?1,10").body == bytes(10)


def test_waiting_for_a_sandbox(whole: Whole) -> None:
    deploy(whole, SLEEPER, wait_s=SHORT_S, max_sandboxes=1)
    first = Later(lambda: call(whole, s=4 * SHORT_S))
    until(lambda: whole.worker()["running"] == 1, "the only sandbox is taken")
    answer = call(whole, s=0)
    assert (answer.status, answer.code) == (504, "timeout")
    assert f"clock wait_s = {SHORT_S:g}" in answer.error["message"]
    assert first.result().body == b"well"
    assert call(whole, s=0).body == b"well"


def test_a_stream_that_stops_in_its_middle_looks_broken(whole: Whole) -> None:
    source = STREAM.replace('await send({"type": "http.response.body", "body": b""})', "import os; os._exit(1)")
    deploy(whole, source)
    with socket.create_connection(("127.0.0.1", whole.port)) as client:
        client.sendall(post("/function/hostile?3,10"))
        raw = b""
        while data := client.recv(65536):
            raw += data
    assert raw.startswith(b"HTTP/1.1 200")
    assert not raw.endswith(b"0\r\n\r\n"), "it does not end as a whole answer does"


def test_an_import_that_never_ends_is_not_deployed(tmp_path_factory: pytest.TempPathFactory) -> None:
    state = tmp_path_factory.mktemp("slow") / "state"
    with running(state, "--set", "process.start_timeout_s=0.5") as whole:
        told = whole.deploy("hostile", "while True:\n    pass\n")
        assert told["error"]["code"] == "timeout"
        assert "start_timeout_s" in told["error"]["message"]
        assert whole.get("/api/functions") == []
        until(lambda: os.listdir(state / "code") == [], "its code is removed")
        assert whole.is_well()
