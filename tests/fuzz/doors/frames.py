"""What a sandbox says to its worker: however it lies, it ends itself and nobody else, and never holds anybody up."""

import json
import math
import os
from collections import Counter
from random import Random

import msgspec

from attacca.guest import channel as wire
from attacca.guest.channel import FIELDS_MOST
from attacca.guest.link import LAST_FRAMES, LAST_READS, STALL_S
from attacca.kernel.budget import Budget
from attacca.kernel.clock import ManualClock
from attacca.model.function import Signature
from attacca.model.invocation import Failed, FunctionError, Invocation, Ok, Request
from attacca.model.messages import Logged
from attacca.worker.core.reports import Report, RunBody, RunEnded, RunFlow, RunHead, SandboxReady
from attacca.worker.runtime.process.child_process import ChildProcess
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.room import Share
from attacca.worker.runtime.process.sandbox import HINTS, STREAM_MOST, TURN, SandboxProcess
from attacca.worker.runtime.process.untrusted import FOREVER_MS
from tests.fuzz.door import Door
from tests.fuzz.framing import KINDS, LARGEST, as_json, cuttings, drawn, frame, head, left_over, raised, times
from tests.fuzz.mutation import NUMBERS, UNICODE, mutate
from tests.fuzz.warped import Warped, descriptors, left_open
from tests.gateway.play import revision

ALONE, MANY, APP = b"1", b"n", b"a"  # the first byte of an input: what kind of a sandbox it is
OPTIONS = ProcessOptions(max_response_mb=1)
RUNNING = 3  # invocations that it was given
MOST_TEXT = 100_000
PROBE = "probe"
PIECE = 32 * 1024  # of what is written at once: a pipe holds twice that


class Frames(Door):
    name = "frames"
    largest = 96 * 1024
    words = (
        *(json.dumps(text).encode() for text in UNICODE),
        *(number.encode() for number in NUMBERS),
        *(bytes((kind,)) for kind in KINDS),
    )

    def open(self) -> None:
        self._loop = Warped()
        self._budget = Budget(4 * LARGEST, 2 * LARGEST)

    def close(self) -> None:
        self._loop.close()

    def seeds(self) -> list[bytes]:
        ready, log = frame(wire.READY, 0, as_json(times())), frame(wire.LOG, 1, b"\x06stdouthello\n")
        streamed = frame(wire.RESPONSE_HEAD, 1, head(b"text/plain", [["x", "y"]])) + frame(
            wire.RESPONSE_BODY, 1, b"one"
        )
        return [
            MANY + ready + frame(wire.RESULT, 1, head(b"application/json", [], b"1")) + log,
            MANY
            + ready
            + streamed
            + frame(wire.RESPONSE_END, 1, head())
            + frame(wire.RESULT, 2, head(b"text/plain", [["a", "b"]], b"x" * 60_000)),
            MANY
            + ready
            + frame(wire.ERROR, 2, as_json(raised()))
            + frame(wire.BROKEN, 3, as_json({"code": "bad_response", "message": "no"})),
            APP + ready + streamed + streamed[-12:] + frame(wire.RESPONSE_END, 1, head()),
            ALONE + ready + log * 300 + frame(wire.RESULT, 1, head(b"", [], b"")),
            MANY
            + frame(
                wire.FAILED, 0, as_json({"code": "bad_function", "message": "it raised", "traceback": "Traceback"})
            ),
            MANY
            + ready
            + frame(
                wire.RESULT, 3, head(b"text/plain", [[f"x-{number}", "v" * 50] for number in range(199)], b"x" * 70_000)
            ),
        ]

    def traps(self) -> list[bytes]:
        ready = frame(wire.READY, 0, as_json(times()))
        deep, many = b"[" * 50_000, [["x", "y"]] * 5000
        found = [frame(kind, 1, deep) for kind in KINDS] + [
            frame(kind, 1, b'"' + b"x" * 60_000 + b'"') for kind in KINDS
        ]
        found += [frame(wire.RESULT, 1, head(b"", [], b"", raw=deep)), frame(wire.RESPONSE_HEAD, 1, head(b"", many))]
        found += [
            frame(wire.RESULT, 1, head(b"", many)),
            frame(wire.RESPONSE_HEAD, 1, head()) + frame(wire.RESPONSE_BODY, 1, b"") * 200,
        ]
        found += [wire.HEAD.pack(size, wire.RESULT, 1) for size in (LARGEST, LARGEST + 1, (1 << 32) - 1, 70_000)]
        asks = frame(wire.ASK, 1, wire.ASK_HEAD.pack(1, wire.TIME_LEFT))
        found += [
            asks * 60,
            asks * 6000,
            frame(wire.LOG, 1, b"\x06stdoutx") * 3000,
            frame(wire.READY, 0, as_json(times())) * 2,
        ]
        return [kind + ready * (at % 2) + one for at, one in enumerate(found) for kind in (MANY, APP, ALONE)]

    def make(self, chance: Random, corpus: list[bytes]) -> bytes:
        if chance.random() < 0.35:
            return mutate(chance, corpus, self.words)[: self.largest]
        start = chance.choice((ALONE, MANY, MANY, APP)) + (
            frame(wire.READY, 0, as_json(times())) if chance.random() < 0.8 else b""
        )
        data = start + b"".join(drawn(chance) for _ in range(chance.choice((1, 1, 2, 4, 12))))
        return (mutate(chance, [data], self.words) if chance.random() < 0.1 else data)[: self.largest]

    def check(self, data: bytes) -> str:
        kind, said = data[:1], data[1:]
        try:
            told = [Story(self._loop, self._budget, kind).play(pieces) for pieces in cuttings(said)]
        except BaseException:
            self.close()  # the next input finds all as it should be
            self.open()
            raise
        assert all(one == told[0] for one in told[1:]), "what it means depends on how the bytes were cut"
        fate, reports = told[0]
        return "taken" if not fate else f"refused: {fate} after {len(reports)}"


class Story:
    """One sandbox, from the order to its end."""

    def __init__(self, loop: Warped, budget: Budget, kind: bytes) -> None:
        self.loop, self.budget, self.before = loop, budget, descriptors()
        self.reports: list[Report] = []
        self.believed: list[Report] = []  # before it was found out
        self.by_turn: Counter[int] = Counter()
        self.is_app = kind == APP
        made = revision(
            "f",
            signature=Signature.ASGI if self.is_app else Signature.EVENT_CONTEXT,
            concurrency=1 if kind == ALONE else 10,
        )
        reader, self.far_writer = os.pipe()
        self.far_reader, writer = os.pipe()
        out, self.far_out = os.pipe()
        self.sandbox = SandboxProcess(
            "s", made, OPTIONS, loop, (reader, writer), ManualClock(5.0), self._hear, Share(budget, "f")
        )
        self.process = self.sandbox.process = ChildProcess(
            loop, out, self.sandbox.printed, lambda why: self.sandbox.close()
        )
        self.sandbox.go()
        self.runs = ["i1"] if kind == ALONE else [f"i{number}" for number in range(1, RUNNING + 1)]
        for name in self.runs:
            self.sandbox.run(Invocation(name, "f", "f@1", Request()))

    def _hear(self, report: Report) -> None:
        self.reports.append(report)
        if not self.process.killed_for:
            self.believed.append(report)
        self.by_turn[self.loop.turn] += 1

    def play(self, pieces: list[bytes]) -> tuple[str, list[Report]]:
        try:
            for piece in pieces:
                self._write(piece)
            self._calm()
            self._wait_out(b"".join(pieces))
            fate, believed, most = self.process.killed_for, list(self.believed), max(self.by_turn.values(), default=0)
            if not fate:
                self._still_works()
        finally:
            self._end()
        self.loop.raise_trouble()
        coherent(self.reports, [*self.runs, PROBE])
        assert most <= TURN, "it takes more than its turn"
        assert max(self.by_turn.values(), default=0) <= LAST_FRAMES * (1 + LAST_READS), "its end takes too long"
        assert self.budget.held == 0, "room is left over"
        assert left_open(self.before, self.loop) == [], "a descriptor is left open"
        return fate, believed

    def _write(self, piece: bytes) -> None:
        for at in range(0, len(piece), PIECE):
            if self.process.killed_for:
                return
            os.write(self.far_writer, piece[at : at + PIECE])
            self._calm()

    def _calm(self) -> None:
        self.loop.hear_out(self.sandbox._link)

    def _wait_out(self, said: bytes) -> None:
        """Half a frame does not occupy us for ever."""
        if not self.process.killed_for and left_over(said):
            self.loop.wait(STALL_S + 1)
            assert self.process.killed_for, "half a frame is waited for without end"

    def _still_works(self) -> None:
        self.sandbox.run(Invocation(PROBE, "f", "f@1", Request()))
        os.write(self.far_writer, frame(wire.RESULT, len(self.runs) + 1, head(b"", [], b"still here")))
        self._calm()
        ended = [one for one in self.reports if isinstance(one, RunEnded) and one.invocation == PROBE]
        assert [one.outcome for one in ended] == [Ok(b"still here", "", 200)], "it does not hear what comes next"

    def _end(self) -> None:
        self.process.abandon()
        self.sandbox.close()
        self.loop.turns(2)
        for descriptor in (self.far_writer, self.far_reader, self.far_out):
            os.close(descriptor)


# The oracle.


def coherent(reports: list[Report], runs: list[str]) -> None:
    """Each invocation has a head at most, then a body, then one end; everything is bounded, and is what it says."""
    heads: set[str] = set()
    ended: set[str] = set()
    for one in reports:
        if isinstance(one, RunHead | RunBody | RunEnded):
            assert one.invocation in runs, "a report on what it was never asked"
            assert one.invocation not in ended, "a word after the last"
        match one:
            case RunHead():
                assert one.invocation not in heads, "two heads"
                heads.add(one.invocation)
                assert 0 <= one.status <= 65_535
                bounded(one.headers)
            case RunBody():
                assert one.invocation in heads, "a body without a head"
                assert one.data, "a body without content"
            case RunEnded():
                ended.add(one.invocation)
                assert 0 <= one.run_ms < FOREVER_MS, "a time that cannot be"
                sensible(one.outcome)
            case SandboxReady():
                spent = msgspec.structs.astuple(one.made)
                assert all(math.isfinite(value) and 0 <= value < FOREVER_MS for value in spent), "a time that cannot be"
            case Logged():
                assert len(one.stream) <= STREAM_MOST, "a stream with an endless name"
                assert one.invocation in ("", *runs), "a line of nobody's"
                one.text.encode()
            case RunFlow():
                assert one.invocation in runs
            case _:
                raise AssertionError(f"not for a sandbox to say: {one}")
    assert sum(isinstance(one, SandboxReady) for one in reports) <= 1, "ready twice"


def sensible(outcome: Ok | FunctionError | Failed) -> None:
    match outcome:
        case Ok():
            assert 0 <= outcome.status <= 65_535
            bounded(outcome.headers)
        case FunctionError():
            assert max(len(outcome.type), len(outcome.message), len(outcome.traceback)) <= MOST_TEXT, (
                "a text without end"
            )
        case Failed():
            assert outcome.code in HINTS, "a code that is not ours"
            assert max(len(outcome.message), len(outcome.traceback)) <= MOST_TEXT, "a text without end"


def bounded(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    assert len(headers) <= FIELDS_MOST + 2, "more headers than it may have"
    assert sum(len(name) + len(value) for name, value in headers) <= 70_000, "longer headers than it may have"
