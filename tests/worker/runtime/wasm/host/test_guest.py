"""Modules are called step by step as EDGELESS calls them, and what they call arrives; on the real wasmtime."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
import wasmtime

from attacca.worker.runtime.wasm.host import main
from attacca.worker.runtime.wasm.host.guest import CallError, Guest, Trap, here
from attacca.worker.runtime.wasm.host.known import Known
from attacca.worker.runtime.wasm.host.watch import Watch
from attacca.workflow.core.identities import of_instance, of_node
from tests.relay import MEMORY, RELAY, assembled

pytestmark = pytest.mark.long  # modules are compiled

SOURCE = "wf.sender.1@node-1"


class CallFailed(Exception):
    """As the worker's agent calls it."""


class Notes:
    """The context of an instance: it notes what it is told, and replies as it was told to."""

    self_id = "wf.relay.1@node-2"

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []
        self.reply: bytes | Exception | None = None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def note(*words: Any) -> Any:
            self.said.append((name, *words))
            if name in ("call", "call_to", "sync") and isinstance(self.reply, Exception):
                raise self.reply
            return self.reply if name in ("call", "call_to") else None

        return note


class Bench:
    def __init__(self, text: str = RELAY, limit_s: float = 60.0, memory_mb: int = 64) -> None:
        main.watches[:] = main.watches or [Watch(main.ENGINE)]
        self.notes = Notes()
        module = wasmtime.Module(main.ENGINE, assembled(text))
        self.guest = main._guest(self.notes, module, memory_mb << 20, limit_s)

    def cast(self, message: bytes) -> list[tuple[Any, ...]]:
        self.notes.said.clear()
        self.guest.cast(SOURCE, message)
        return list(self.notes.said)


@pytest.fixture(scope="module")
def shared() -> Bench:
    return Bench()


@pytest.fixture
def bench(shared: Bench) -> Bench:
    here[:] = [shared.guest]
    return shared


def log(text: str) -> tuple[Any, ...]:
    return ("log", text, "info", "relay")


def test_what_it_sends_goes_where_it_says(bench: Bench) -> None:
    assert bench.cast(b"cword") == [("cast", "out", b"word")]
    assert bench.cast(b"c") == [("cast", "out", b"")]
    assert bench.cast(b"rback") == [("cast_to", SOURCE, b"back")]
    assert bench.cast(b"dlater") == [("delayed_cast", 0.01, "self", b"later")]
    assert bench.cast(b"xself") == [("cast_to", Notes.self_id, b"self")]
    assert bench.cast(b"sstate") == [("sync", b"state")]
    assert bench.cast("lso viel wie möglich".encode()) == [log("so viel wie möglich")]


@pytest.mark.parametrize("letter", ["C", "R"])
def test_replies_come_to_it(bench: Bench, letter: str) -> None:
    whom = ("call", "out") if letter == "C" else ("call_to", SOURCE)
    failed = CallFailed("nobody is there")
    expected: list[tuple[Any, list[Any]]] = [
        (b"a reply", [log("a reply")]), (b"", [log("")]), (b"x" * 100_000, [log("x" * 100_000)]),
        (None, [log("none")]), (failed, [("log", "a call failed: nobody is there", "warning"), log("none"), log("")]),
    ]  # fmt: skip
    for reply, logged in expected:
        bench.notes.reply = reply
        assert bench.cast(letter.encode() + b"ask") == [(*whom, b"ask"), *logged]


def test_it_answers_calls(bench: Bench) -> None:
    assert bench.guest.call(SOURCE, b"word") == b"word"
    assert bench.guest.call(SOURCE, b"") == b""
    assert bench.guest.call(SOURCE, b"\xff\0") == b"\xff\0", "a reply may be anything"
    assert bench.guest.call(SOURCE, b"n") is None
    with pytest.raises(CallError):
        bench.guest.call(SOURCE, b"e")
    assert bench.guest.call(SOURCE, b"word") == b"word", "and lives on"


def test_a_state_that_is_not_kept_is_logged(bench: Bench) -> None:
    bench.notes.reply = CallFailed("the store is away")
    assert bench.cast(b"sx")[1:] == [("log", "its state is not kept: the store is away", "error")]


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (b"?", "unreachable"),
        (b"u", "not UTF-8"),
        (b"p", "outside of its memory"),
        (b"b", "17825792 bytes where 16777216 are the most"),
    ],
)
def test_a_trap_says_why(message: bytes, says: str) -> None:
    with pytest.raises(Trap, match=says):
        Bench().cast(message)


def test_memory_and_time_are_bounded() -> None:
    assert Bench(memory_mb=8).cast(b"m") == [log("full")]
    with pytest.raises(Trap, match=r"ran longer than 0.02 s"):
        Bench(limit_s=0.02).cast(b"f")
    with pytest.raises(Trap, match="memory"):
        Bench(RELAY.replace(MEMORY, MEMORY.replace('"memory") 2', '"memory") 200')), memory_mb=8)


def steps(bench: Bench, act: Callable[[Guest], Any]) -> list[str]:
    """What of the module is called."""
    guest, found = bench.guest, list[str]()

    def noting(name: str, inner: Any) -> Any:
        def noted(store: Any, *words: int) -> Any:
            found.append(" ".join([name, *map(str, words if name == "alloc" else words[1:2])]))
            return inner(store, *words)

        return noted

    kept = guest.alloc, guest._free, guest._clear
    guest.alloc, guest._free, guest._clear = (
        noting(name, inner) for name, inner in zip(("alloc", "free", "clear"), kept, strict=True)
    )
    act(guest)
    guest.alloc, guest._free, guest._clear = kept
    return found


def test_the_sequence_is_that_of_edgeless(bench: Bench) -> None:
    ids = ["alloc 16", "alloc 16"]
    assert steps(bench, lambda guest: guest.init(None, None)) == []
    assert steps(bench, lambda guest: guest.init(b"", b"abc")) == ["alloc 0", "alloc 3", "free 3"]
    assert steps(bench, lambda guest: guest.cast(SOURCE, b"lab")) == [
        "clear", *ids, "alloc 3", "free 16", "free 16", "free 3",
    ]  # fmt: skip
    assert steps(bench, lambda guest: guest.cast(SOURCE, b"")) == ["clear", *ids, "alloc 0", "free 16", "free 16"]
    assert steps(bench, lambda guest: guest.call(SOURCE, b"ab")) == [
        "clear", *ids, "alloc 2", "alloc 4", "alloc 4", "free 16", "free 16", "free 4", "free 4", "free 2",
    ]  # fmt: skip
    assert steps(bench, lambda guest: guest.stop()) == ["clear"]


def test_levels_that_there_are_not_are_errors() -> None:
    bench = Bench(RELAY.replace("(call $log (i32.const 3)", "(call $log (i32.const 9)"))
    assert bench.cast(b"lx") == [
        ("log", "there is no level 9: 1 is an error, 5 a trace", "warning"), ("log", "x", "error", "relay"),
    ]  # fmt: skip


def test_addresses_are_known_by_ids() -> None:
    known = Known()
    node, instance = known.ids("wf.a.1@w")
    assert (len(node), len(instance)) == (16, 16)
    assert known.ids("wf.a.2@w")[0] == node
    assert known.address(node, instance) == "wf.a.1@w"
    assert known.address(instance, node) is None
    assert repr(known) == "<Known 2>"
    assert (node, instance) == (UUID(of_node("w")).bytes, UUID(of_instance("wf.a.1")).bytes), "as others know them"
    name = str(UUID(int=7))
    assert known.ids(f"{'x' * 36}@{name}") == (UUID(name).bytes, UUID(of_instance("x" * 36)).bytes)


def test_it_is_compiled_or_refused_and_says_what_it_is(bench: Bench) -> None:
    one = main.Wasm()
    one.init(bench.notes, main.ENVELOPE.pack(main.COMPILE, 0, 0.0, 0, 0) + assembled(), None)
    assert repr(one) == "<Wasm compiled>"
    made = one.call(None, "", b"")
    assert made is not None
    head = main.ENVELOPE.pack(main.RUN, 8 << 20, 5.0, 1, 2)
    two = main.Wasm()
    two.init(bench.notes, head + b"hi" + made, b"kept")
    assert bench.notes.said[-2:] == [log("hi"), log("kept")]
    assert repr(two) == "<Wasm runs>"
    assert repr(two.guest) == "<Guest of 2 pages, <Known 0>>"
    with pytest.raises(main.Stale):
        main.Wasm().init(bench.notes, head + b"hi" + b"no code", None)
    with pytest.raises(ValueError, match="cannot be compiled"):
        main.Wasm().init(bench.notes, main.ENVELOPE.pack(main.COMPILE, 0, 0.0, 0, 0) + b"\0asm\1\0\0\0\3", None)
    assert repr(main.watches[0]) in ("<Watch for 5 s, nothing runs>", "<Watch for 60 s, nothing runs>")
    main.after_fork()
