"""Functions that speak to the worker themselves, through descriptors that they should leave alone."""

import json
import os
import time
from collections.abc import Iterator

import pytest

from attacca.worker.runtime.process.guest import channel as wire
from tests.live.whole import Later, Whole, deployment, running, until

HEAD = wire.RESULT_HEAD.pack(1.0, 200, 0, 0)
READY = json.dumps({"sandbox_ms": 1, "code_ms": 1, "imports_ms": 1}).encode()
JSON = {"content-type": "application/json"}
FORGER = """
    import os, time

    def forger(raw=""):
        if raw:
            data = raw.encode("latin-1")
            while data:
                data = data[os.write(3, data):]
            time.sleep(20)
        return "well"
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with running(tmp_path_factory.mktemp("whole") / "state") as one:
        assert one.is_well()
        one.function("forger", FORGER)
        yield one
        assert one.is_well()
        assert one.said == "", "nobody stumbles over it"
    assert one.left() == []


def frame(kind: int, number: int, payload: bytes = b"") -> bytes:
    return wire.HEAD.pack(len(payload), kind, number) + payload


FORGERIES = {
    "an answer to nobody": frame(wire.RESULT, 7, HEAD),
    "two answers": frame(wire.RESULT, 1, HEAD + b"1") + frame(wire.RESULT, 1, HEAD + b"2"),
    "an answer ahead": frame(wire.RESULT, 1, HEAD + b"1") + frame(wire.RESULT, 2, HEAD + b"2"),
    "half a head": frame(wire.RESULT, 1, b"xx"),
    "headers that are none": frame(wire.RESULT, 1, wire.RESULT_HEAD.pack(1.0, 200, 0, 3) + b"[1]"),
    "headers without end": frame(wire.RESULT, 1, wire.RESULT_HEAD.pack(1.0, 200, 0, 2 << 20) + b"[" * (2 << 20)),
    "a deep error": frame(wire.ERROR, 1, b"[" * 100_000),
    "a long error": frame(wire.ERROR, 1, b'"' + b"x" * (2 << 20) + b'"'),
    "an error that is a list": frame(wire.ERROR, 1, b"[]"),
    "ready once more": frame(wire.READY, 0, READY),
    "a body before its head": frame(wire.RESPONSE_BODY, 1, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
    "half an end": frame(wire.RESPONSE_END, 1, b""),
    "a kind that is not ours": frame(99, 1, b""),
    "a log of nothing": frame(wire.LOG, 1, b""),
    "a gigabyte": wire.HEAD.pack(1 << 30, wire.RESULT, 1),
}


@pytest.mark.parametrize("what", FORGERIES)
def test_a_forged_frame_ends_who_sent_it_and_nobody_else(whole: Whole, what: str) -> None:
    whole.ask("POST", "/api/functions/forger/evict", b"{}", JSON)
    until(lambda: whole.sandboxes("forger") == [], "the next invocation is its sandbox's first")
    answer = whole.call("forger", {"raw": FORGERIES[what].decode("latin-1")})
    if answer.status == 200:
        assert answer.body == b"1"
    else:
        assert (answer.status, answer.code) == (502, "sandbox_lost")
    until(lambda: whole.call("forger").body == b"well", "it is made anew")
    assert whole.is_well()


def test_times_that_cannot_be_are_not_believed(whole: Whole) -> None:
    for took in (float("nan"), float("inf"), -1e30):
        raw = frame(wire.RESULT, 1, wire.RESULT_HEAD.pack(took, 200, 0, 0) + b"1")
        whole.ask("POST", "/api/functions/forger/evict", b"{}", JSON)
        until(lambda: whole.sandboxes("forger") == [], "the next invocation is its sandbox's first")
        assert whole.call("forger", {"raw": raw.decode("latin-1")}).status == 200
    [view] = [one for one in whole.worker()["functions"] if one["function"] == "forger"]
    assert 0 <= view["exec_ms"]["mean"] < 1e6
    assert 0 <= view["exec_ms"]["ewma"] < 1e6


IMPORTED = """
    import json, os, socket, sys, time

    def find_order():
        frame = sys._getframe()
        while "order" not in frame.f_locals:
            frame = frame.f_back
        return frame.f_locals["order"]

    control = socket.socket(fileno=os.dup(3))
    is_template = control.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_SEQPACKET

    def say(*messages, fds=()):
        for message in messages:
            raw = message if isinstance(message, bytes) else json.dumps(message).encode()
            socket.send_fds(control, [raw], list(fds))

    def imported():
        return "well"

"""
READIED = {
    "handler": "main:imported", "signature": "named", "threads": 1, "logs": "", "sandbox_ms": 1, "code_ms": 1,
    "imports_ms": 1, "memory_kb": 1000,
}  # fmt: skip
HANDLER = "main:imported"
SAYINGS = {
    "no JSON": 'say(b"\\xff" * 100)',
    "a list": "say([1, 2])",
    "a deep list": 'say(b"[" * 100_000)',
    "a name that is none": 'say({"made": [1]})',
    "a readiness of another shape": 'say({"ready": 5})',
    "times that are none": f'say({{"ready": {{**{READIED}, "imports_ms": "soon"}}}})',
    "a failure of another shape": 'say({"failed": []})',
}


@pytest.mark.parametrize("what", SAYINGS)
def test_a_template_that_makes_no_sense_is_refused(whole: Whole, what: str) -> None:
    source = f"{IMPORTED}\n    if is_template:\n        {SAYINGS[what]}\n        time.sleep(5)\n"
    began = time.monotonic()
    told = whole.deploy("nonsense", source, handler=HANDLER)
    assert time.monotonic() - began < 3
    assert told["error"]["code"] == "start_failed"
    assert whole.is_well()


def test_a_template_that_is_ready_twice_is_not_kept(whole: Whole) -> None:
    say = f'say({{"ready": {READIED}}}, {{"ready": {READIED}}})'
    whole.function("hasty", f"{IMPORTED}\n    if is_template:\n        {say}\n        time.sleep(5)\n", handler=HANDLER)
    assert whole.call("hasty").body == b"well"


@pytest.mark.parametrize("what", ['{"made": "nobody"}', '{"ended": "nobody", "status": 0}'])
def test_a_template_that_talks_without_end_keeps_nobody_waiting(whole: Whole, what: str) -> None:
    source = f"{IMPORTED}\n    if is_template:\n        while time.monotonic() < START + 1:\n            say({what})\n"
    deploying = Later(lambda: whole.deploy("talker", source.replace("START", repr(time.monotonic())), handler=HANDLER))
    slowest_s, rounds = 0.0, 0
    while deploying.is_alive():
        began = time.monotonic()
        assert whole.is_well()
        slowest_s = max(slowest_s, time.monotonic() - began)
        rounds += 1
    assert rounds > 10
    assert slowest_s < 1.0
    deploying.result()


def test_births_that_did_not_happen_end_the_template_that_tells_of_them(whole: Whole) -> None:
    """A child of its import speaks for it, while its sandboxes are made."""
    lies = """
    if is_template and os.fork() == 0:
        prefix, _, number = find_order()["id"].rpartition("-")
        while True:
            for ahead in range(1, 9):
                say({"made": f"{prefix}-{int(number) + ahead}"}, fds=(0,))
            time.sleep(0.001)
    """
    for _ in range(3):
        whole.function("midwife", IMPORTED + lies, handler=HANDLER)
        for _ in range(3):
            answer = whole.call("midwife")
            assert answer.body == b"well" or answer.code in ("start_failed", "sandbox_lost")
        assert whole.is_well()
    whole.delete("midwife")
    until(lambda: whole.sandboxes("midwife") == [])


def test_a_template_cannot_give_away_descriptors(whole: Whole) -> None:
    assert whole.is_well()
    place = f"/proc/{whole.pid}/fd"
    before = len(os.listdir(place))
    sends = 'say(*[{"made": "nobody"}, {"ended": "nobody", "status": 0}] * 50, fds=(0,))'
    whole.function("imported", f"{IMPORTED}\n    if is_template:\n        {sends}\n", handler=HANDLER)
    whole.delete("imported")
    until(lambda: len(os.listdir(place)) <= before + 2, "they are closed again")


def test_a_template_has_no_say_over_the_sandboxes_of_others(whole: Whole) -> None:
    """It knows how they are called: like itself, with another number."""
    lies = """
    if is_template:
        prefix, _, number = find_order()["id"].rpartition("-")
        names = [f"{prefix}-{int(number) + ahead}" for ahead in range(-5, 60)]
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            for name in names:
                say({"refused": name, "error": "a lie"}, {"ended": name, "status": 9})
                say({"made": name}, fds=(0,))
    """
    whole.function("victim", "def victim():\n    return 'well'\n")
    lying = Later(lambda: whole.deploy("liar", IMPORTED + lies, handler=HANDLER))
    calls = 0
    while lying.is_alive():
        whole.ask("POST", "/api/functions/victim/evict", b"{}", JSON)
        assert whole.call("victim").body == b"well"
        calls += 1
    assert calls > 0
    lying.result()


def test_descriptors_on_their_way_that_nobody_takes_stop_nobody_else(whole: Whole) -> None:
    """The kernel counts them per user, and all sandboxes are one user to it."""
    source = """
        import socket, time

        def hoarder(s=2):
            pairs = [socket.socketpair() for _ in range(20)]
            try:
                for one, _ in pairs:
                    for _ in range(5):
                        socket.send_fds(one, [b"x"], [0] * 200)
            except OSError as error:
                print(error.errno, flush=True)
            time.sleep(s)
    """
    whole.function("hoarder", source)
    whole.function("another", "def another():\n    return 1\n")
    hoarding = Later(lambda: whole.call("hoarder"))
    until(lambda: "109" in whole.logs("hoarder"), "it has all it can get")
    while hoarding.is_alive():
        whole.ask("POST", "/api/functions/another/evict", b"{}", JSON)
        assert whole.call("another").value == 1
    assert hoarding.result().status == 200


def test_a_function_with_an_environment_that_cannot_be_sent_is_refused(whole: Whole) -> None:
    body, fields = deployment("roomy", "def roomy():\n    return 1\n", env={"ROOM": "x" * 300_000})
    answer = whole.ask("POST", "/api/functions", body, fields)
    assert (answer.status, answer.code) == (400, "bad_request")
    assert "env" in answer.error["message"]
