"""Functions that speak to the worker themselves, through descriptors that they should leave alone."""

import http.client
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from attacca.guest import channel as wire
from tests.live.patience import Later
from tests.live.whole import Whole, deployment, meanwhile, running, until

HEAD = wire.RESULT_HEAD.pack(1.0, 200, 0, 0)
READY = json.dumps({"sandbox_ms": 1, "code_ms": 1, "imports_ms": 1}).encode()
JSON = {"content-type": "application/json"}
FORGER = """
    import os, time

    def forger(raw=""):
        if raw:
            data = raw.encode("latin-1")
            while data:
                data = data[os.write(4, data):]
            time.sleep(3)
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
    "a number beyond all numbers": frame(
        wire.ERROR, 1, b'{"type":"X","message":"","traceback":"","run_ms":1%b}' % (b"0" * 400)
    ),
    "a number that is none": frame(wire.ERROR, 1, b'{"type":"X","message":"","traceback":"","run_ms":NaN}'),
    "a code of its own": frame(wire.BROKEN, 1, b'{"code":"unauthorized","message":""}'),
    "a failure of its own": frame(wire.FAILED, 0, b'{"code":"not_found","message":"","traceback":""}'),
    "a birth": frame(wire.MADE, 1, wire.PROCESS.pack(1)),
    "an end": frame(wire.ENDED, 1, wire.STATUS.pack(0)),
    "two heads": frame(wire.RESPONSE_HEAD, 1, HEAD) * 2,
    "a body without content": frame(wire.RESPONSE_HEAD, 1, HEAD) + frame(wire.RESPONSE_BODY, 1),
    "a stream with a long name": frame(wire.LOG, 1, bytes([200]) + b"x" * 300),
    "a gigabyte": wire.HEAD.pack(1 << 30, wire.RESULT, 1),
}


@pytest.mark.parametrize("what", FORGERIES)
def test_a_forged_frame_ends_who_sent_it_and_nobody_else(whole: Whole, what: str) -> None:
    whole.ask("POST", "/api/functions/forger/evict", b"{}", JSON)
    until(lambda: whole.sandboxes("forger") == [], "the next invocation is its sandbox's first")
    try:
        answer = whole.call("forger", {"raw": FORGERIES[what].decode("latin-1")})
    except http.client.IncompleteRead:
        assert wire.RESPONSE_HEAD in FORGERIES[what], "its head was out already"
    else:
        if answer.status == 200:
            assert answer.body == b"1"
        else:
            assert (answer.status, answer.code) in ((502, "sandbox_lost"), (500, "bad_response"))
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
    import os, stat, struct, time

    is_template = stat.S_ISSOCK(os.fstat(3).st_mode)

    def say(kind, number=0, payload=b""):
        data = struct.pack("<IBI", len(payload), kind, number) + payload
        while data:
            data = data[os.write(4, data):]

    def imported():
        return "well"

"""
READIED = {
    "handler": "main:imported", "signature": "named", "event": "plain", "unfit": "", "notes": [], "logs": "",
    "sandbox_ms": 1, "code_ms": 1, "imports_ms": 1, "memory_kb": 1000,
}  # fmt: skip
HANDLER = "main:imported"


def readied(**other: object) -> bytes:
    return json.dumps({**READIED, **other}).encode()


SAYINGS = {
    "no JSON": (wire.READY, b"\xff" * 100),
    "a list": (wire.READY, b"[1, 2]"),
    "a deep list": (wire.READY, b"[" * 100_000),
    "a kind that is not ours": (99, b""),
    "a sandbox's kind": (wire.RESULT, HEAD),
    "a birth that is none": (wire.MADE, b"x"),
    "an end beyond all numbers": (wire.ENDED, b"1" * 30),
    "a readiness of another shape": (wire.READY, b"5"),
    "times that are none": (wire.READY, readied(imports_ms="soon")),
    "times beyond all numbers": (wire.READY, readied(imports_ms=10**400)),
    "notes without end": (wire.READY, readied(notes=["x"] * 1000)),
    "less than no memory": (wire.READY, readied(memory_kb=-1)),
    "a failure of another shape": (wire.FAILED, b"[]"),
    "a place once more": (wire.PLACED, b""),
    "a gigabyte": (wire.READY, b"x" * (2 << 20)),
}
# Who sends too much at once finds the channel closed, and has half a second to end by itself.
REFUSALS = "it said what no template", "its process exited", "it sent a frame of 2097152 bytes"


@pytest.mark.parametrize("what", SAYINGS)
def test_a_template_that_makes_no_sense_is_refused(whole: Whole, what: str) -> None:
    kind, payload = SAYINGS[what]
    source = f"{IMPORTED}\n    if is_template:\n        say({kind}, 0, {payload!r})\n        time.sleep(60)\n"
    told = whole.deploy("nonsense", source, handler=HANDLER)
    assert told["error"]["code"] == "start_failed"
    assert told["error"]["message"].startswith(REFUSALS)
    assert whole.is_well()


def test_a_template_that_is_ready_twice_is_not_kept(whole: Whole) -> None:
    say = f"say({wire.READY}, 0, {readied()!r}); say({wire.READY}, 0, {readied()!r})"
    whole.function("hasty", f"{IMPORTED}\n    if is_template:\n        {say}\n        time.sleep(5)\n", handler=HANDLER)
    assert whole.call("hasty").body == b"well"


@pytest.mark.parametrize("kind", [wire.MADE, wire.ENDED])
def test_a_template_that_talks_without_end_keeps_nobody_waiting(whole: Whole, kind: int) -> None:
    say = f"say({kind}, 4_000_000_000, bytes(4))"
    source = f"{IMPORTED}\n    if is_template:\n        while time.monotonic() < START + 1:\n            {say}\n"
    deploying = Later(lambda: whole.deploy("talker", source.replace("START", repr(time.monotonic())), handler=HANDLER))
    assert meanwhile(deploying, whole.is_well) > 1
    deploying.result()


def test_births_that_did_not_happen_end_the_template_that_tells_of_them(whole: Whole) -> None:
    """A child of its import speaks for it, while its sandboxes are made."""
    lies = f"""
    if is_template and os.fork() == 0:
        while True:
            for number in range(1, 400):
                say({wire.MADE}, number, struct.pack("<I", os.getpid()))
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


def groups_of(whole: Whole) -> int:
    return sum(len(inside) for root in whole.cgroups() for _, inside, _ in os.walk(root))


def test_a_thousand_lies_leave_no_sandbox_and_no_group_behind(tmp_path: Path) -> None:
    """About births that were ordered of it and of others, before, while and after they happen."""
    lies = f"""
    if is_template and os.fork() == 0:
        for turn in range(1000):
            for number in range(turn % 40, 400, 40):
                kind = ({wire.MADE}, {wire.ENDED}, {wire.REFUSED})[turn % 3]
                say(kind, number, (struct.pack("<I", 2), struct.pack("<i", turn), b"a lie")[turn % 3])
    """
    with running(tmp_path / "state") as whole:
        whole.function("liar", IMPORTED + lies, handler=HANDLER)
        for _ in range(10):
            answer = whole.call("liar")
            assert answer.body == b"well" or answer.code in ("start_failed", "sandbox_lost")
            whole.ask("POST", "/api/functions/liar/evict", b'{"templates": true}', JSON)
        whole.delete("liar")
        until(lambda: not whole.worker()["sandboxes"], "none is dying for ever")
        at_rest = 2 * max(len(whole.cgroups()), 1)  # what the zygote waits in, and where it lives inside that
        until(lambda: groups_of(whole) <= at_rest, "their groups are gone")


def test_nothing_but_bytes_can_be_sent_to_the_worker(whole: Whole) -> None:
    """Neither by a template nor by a sandbox: a descriptor that comes unasked would have to be closed by us."""
    source = """
        import os, socket, stat

        def kinds():
            told = {}
            for name in os.listdir("/proc/self/fd"):
                try:
                    mode = os.fstat(int(name)).st_mode
                except OSError:
                    continue
                told[int(name)] = "socket" if stat.S_ISSOCK(mode) else "pipe" if stat.S_ISFIFO(mode) else "other"
            return told

        def tries():
            came_of = []
            for number in [number for number, kind in kinds().items() if kind == "socket"]:
                try:
                    with socket.socket(fileno=os.dup(number)) as one:
                        socket.send_fds(one, [b"x"], [0])
                    came_of.append("sent")
                except OSError as error:
                    came_of.append(type(error).__name__)
            return came_of

        IN_TEMPLATE = kinds(), tries()

        def sockets():
            return [*IN_TEMPLATE, kinds(), tries()]
    """
    whole.function("sockets", source, handler="main:sockets")
    template, tried, sandbox, nothing = whole.call("sockets").value
    assert (template["3"], template["4"]) == ("socket", "pipe")
    assert tried[0] == "BrokenPipeError"
    assert (sandbox["3"], sandbox["4"], nothing) == ("pipe", "pipe", [])


def test_a_template_has_no_say_over_the_sandboxes_of_others(whole: Whole) -> None:
    """It knows how they are called: births are counted."""
    lies = f"""
    if is_template:
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            for number in range(1, 500):
                say({wire.REFUSED}, number, b"a lie")
                say({wire.ENDED}, number, struct.pack("<i", 9))
                say({wire.MADE}, number, struct.pack("<I", 2))
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
    """The kernel counts them per user."""
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
    body, fields = deployment("roomy", "def roomy():\n    return 1\n", env={"ROOM": "x" * 40_000})
    answer = whole.ask("POST", "/api/functions", body, fields)
    assert (answer.status, answer.code) == (400, "bad_request")
    assert "env" in answer.error["message"]
