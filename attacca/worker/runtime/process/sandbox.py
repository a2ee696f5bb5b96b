"""The worker's side of one process sandbox: invocations become frames, frames become reports."""

import asyncio
import struct
from collections.abc import Callable
from itertools import chain

from attacca.guest import channel as wire
from attacca.guest.link import Link, Room
from attacca.kernel.clock import Clock
from attacca.model.function import Revision, Signature
from attacca.model.invocation import Failed, FunctionError, Invocation, Ok, Request
from attacca.model.messages import Logged
from attacca.worker.core.alone import can_have_ahead
from attacca.worker.core.events import Deliver, Hand, Listen, Respond, TakeBack, ToSandbox
from attacca.worker.core.reports import (
    RunBody,
    RunEnded,
    RunFlow,
    RunHead,
    SandboxFailed,
    SandboxReady,
    Sink,
    TakenBack,
)
from attacca.worker.runtime.process import untrusted
from attacca.worker.runtime.process.child_process import ChildProcess
from attacca.worker.runtime.process.event_frames import EventFrames
from attacca.worker.runtime.process.handed import Handed
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.pace import Pace
from attacca.worker.runtime.process.questions import Questions
from attacca.worker.runtime.process.untrusted import FOREVER_MS, NONSENSE, HeadTooLarge, milliseconds
from attacca.worker.runtime.process.wiring import Plug

LATE_BYTES = 16 << 20  # what may still arrive of a streamed answer after its sandbox was told to wait
LOG_MOST = 68 << 10  # bytes of one log frame
PER_S = 4000  # frames that answer nothing; who says more is listened to more slowly
LOG_UNIT = 1024  # bytes of log that weigh as much as a frame
REFUSED = PER_S // 5  # what an answer that nobody can be sent weighs: making it may have cost a lot, for nothing
INVOKE = struct.Struct(wire.HEAD.format + wire.INVOKE_HEAD.format[1:])
REQUEST = struct.Struct(wire.HEAD.format + wire.REQUEST_HEAD.format[1:])
STREAM_MOST = 64  # characters of the name of a log's stream
SLACK = 1 << 20  # of a frame over the largest answer: heads and headers
TURN = 8  # frames before everybody else has a turn


class SandboxProcess:
    """One sandbox, from the order to its end. `sink` hears of everything but its end, which `ChildProcess` knows."""

    def __init__(
        self,
        name: str,
        revision: Revision,
        options: ProcessOptions,
        loop: asyncio.AbstractEventLoop,
        channel: tuple[int, int],
        clock: Clock,
        sink: Sink,
        room: Room,
    ) -> None:
        """`channel` is the descriptor that brings its frames, and the one that takes ours to it."""
        self._clock, self._ordered = clock, clock.now()
        self.name, self.revision, self._sink, self._loop = name, revision, sink, loop
        self.process: ChildProcess
        self.is_ready = self.is_placed = self.is_forked = False
        self.plug: Plug | None = None
        self._plugged_at = self._plugged_ms = self.image_ms = 0.0
        self.failure: SandboxFailed | None = None
        self.timer: asyncio.TimerHandle | None = None
        self._largest = options.max_response_mb << 20
        self._link = Link(
            loop, *channel, self._largest + SLACK, self._take, self._closed, self._pressed, turn=TURN, room=room
        )
        self._count = 0
        self._numbers: dict[str, int] = {}  # invocation to its number on the channel
        self._running: dict[int, str] = {}
        self.not_begun: tuple[str, ...] = ()  # of what it was handed ahead, once it is closed
        self._streaming: dict[int, None] = {}  # invocations whose answer has begun
        self._began: dict[int, float] = {}  # by number: when it was handed over
        self._questions = Questions(self._left_s, self._link.send)
        self._late: dict[int, int] = {}  # invocations that were told to wait: bytes that came all the same
        self._is_alone = revision.settings.concurrency == 1
        self._takes_requests = revision.takes_requests
        self._handed = Handed(self._link, channel[1]) if can_have_ahead(revision) else None
        self._pace = Pace(PER_S, loop.time)
        self._takers: dict[int, Callable[[int, bytes], None]] = {
            wire.READY: self._on_ready,
            wire.FAILED: self._on_failed,
            wire.PLACED: self._on_placed,
            wire.ERROR: self._on_error,
            wire.BROKEN: self._on_broken,
            wire.RESPONSE_HEAD: self._on_head,
            wire.RESPONSE_BODY: self._on_body,
            wire.RESPONSE_END: self._on_end,
            wire.LOG: self._on_log,
            wire.BOUNCED: self._on_bounced,
            wire.ASK: self._on_ask,
        }
        self._events = EventFrames(name, sink, self._link.send)
        if revision.signature is Signature.EVENTS:
            self._takers |= self._events.takers

    def __repr__(self) -> str:
        state = "ready" if self.is_ready else "starting"
        return f"<SandboxProcess {self.name} {state}, {len(self._running)} running, {self._link}>"

    # orders

    def describe(self, order: bytes) -> None:
        """Tell a process that the zygote forks what it is to be."""
        self._link.send(wire.HEAD.pack(len(order), wire.ORDER, 0) + order)

    def go(self) -> None:
        """Its process was born, or, if it is to have a way out, is in its place: one of a template's is at once."""
        if self.plug is None:
            self._go()
        elif (self.is_placed or self.is_forked) and self.process.is_born:
            plug, self.plug, self._plugged_at = self.plug, None, self._clock.now()
            plug(self.process.pid, self._go)

    def _go(self) -> None:
        if self._plugged_at:
            self._plugged_ms = (self._clock.now() - self._plugged_at) * 1e3
        self._link.send(wire.HEAD.pack(0, wire.GO, 0))

    def _on_placed(self, _number: int, _payload: bytes) -> None:
        if self.is_placed or self.plug is None or self.is_forked:
            raise ValueError("placed once more, or nowhere")
        self.is_placed = True
        self.go()

    def run(self, invocation: Invocation) -> None:
        name, handed = invocation.id, self._handed
        if name in self._numbers:
            return  # it was handed ahead
        number = self._count = (self._count + 1) & 0xFFFFFFFF
        if self._takes_requests:
            self._begin(number, name)
            self._request(number, name, invocation.request)
            return
        frame = _invoke(number, invocation)
        if handed is not None:
            handed.run(name)
            handed.shape(len(frame), is_idle=not self._running)
        self._begin(number, name)
        self._link.send(frame)

    def _begin(self, number: int, name: str) -> None:
        self._numbers[name], self._running[number], self._began[number] = number, name, self._loop.time()

    def _hand(self, invocation: Invocation) -> None:
        if self._handed is not None:
            number = self._count = (self._count + 1) & 0xFFFFFFFF
            self._handed.hand(invocation.id, number, _invoke(number, invocation))

    def _take_back(self) -> None:
        taken = () if self._handed is None else self._handed.take_back()
        if taken:
            self._loop.call_soon(self._sink, TakenBack(self.name, taken))

    def _request(self, number: int, name: str, request: Request) -> None:
        kind, query, method, path = request.content_type, request.query, request.method, request.path
        texts = (name, kind, query, method, path, request.client, request.scheme)
        raw = [text.encode("latin-1", "replace") for text in texts]
        head = wire.lines([*raw, *chain.from_iterable(request.headers)])
        body, size = request.body, len(head)
        frame = REQUEST.pack(7 + size + len(body), wire.REQUEST, number, request.more, request.port, size)
        self._link.send(b"".join((frame, head, body)))

    def tell(self, word: ToSandbox) -> None:
        if type(word) is Hand:
            self._hand(word.invocation)
        elif type(word) is TakeBack:
            self._take_back()
        elif isinstance(word, Deliver):
            number = self._count = (self._count + 1) & 0xFFFFFFFF
            name = word.delivery.id
            self._begin(number, name)
            self._events.deliver(number, word.delivery)
        elif isinstance(word, Respond):
            self._events.reply(word.asked, word.kind, word.data)
        elif isinstance(word, Listen):
            self._link.pause() if word.paused else self._link.resume()

    def stop(self, invocation: str) -> None:
        self._tell(wire.STOP, invocation, b"")

    def send_body(self, invocation: str, data: bytes, *, last: bool) -> None:
        self._tell(wire.BODY_END if last else wire.BODY, invocation, data)

    def flow(self, invocation: str, *, paused: bool) -> None:
        """The client of a streamed answer reads slowly. A sandbox with one client is simply not read."""
        if (number := self._numbers.get(invocation)) is None:
            return
        if self._is_alone:
            self._link.pause() if paused else self._link.resume()
            return
        self._tell(wire.PAUSE if paused else wire.RESUME, invocation, b"")
        if paused:
            self._late.setdefault(number, 0)
        else:
            self._late.pop(number, None)

    def leave(self, invocation: str) -> None:
        """Its client is gone."""
        if self._takes_requests or self._numbers.get(invocation) in self._streaming:
            self._tell(wire.GONE, invocation, b"")

    def close(self) -> None:
        """Take what it still said, then let go of the channel."""
        self._link.close()
        if self.timer is not None:
            self.timer.cancel()
        if self._handed is not None:
            self.not_begun += self._handed.take_back()
            self._handed.close()

    def fail(self, code: str, message: str) -> None:
        self.failure = SandboxFailed(self.name, code, message)

    def printed(self, data: bytes) -> None:
        """Output that went past our capture: from C code, from its own children, or straight to the descriptor."""
        alone = next(iter(self._running.values())) if len(self._running) == 1 else ""
        self._log(alone, "stdout", data)

    # frames

    def _tell(self, kind: int, invocation: str, data: bytes) -> None:
        if (number := self._numbers.get(invocation)) is not None:
            self._link.send(wire.HEAD.pack(len(data), kind, number) + data)

    def _take(self, kind: int, number: int, payload: bytes) -> None:
        try:
            if kind != wire.RESULT or number not in self._running:
                self._takers[kind](number, payload)
                return
            took, status, kinds, heads = wire.RESULT_HEAD.unpack_from(payload)
            if not 0.0 <= took < FOREVER_MS:
                took = 0.0
            at = 12 + kinds
            outcome: Ok | Failed
            try:
                headers = untrusted.fields(payload[at : at + heads]) if heads else ()
            except HeadTooLarge as error:
                self._weigh(REFUSED)
                outcome = Failed("bad_response", str(error), HINTS["bad_response"])
            else:
                outcome = Ok(payload[at + heads :], payload[12:at].decode("latin-1").strip(), status, headers)
        except NONSENSE as error:
            self.process.kill(f"it sent what no sandbox of ours sends ({type(error).__name__}), and was killed")
            return
        self._ended(number, outcome, took)

    def _ended(self, number: int, outcome: Ok | FunctionError | Failed, run_ms: float) -> None:
        invocation = self._running.pop(number)  # KeyError: never asked for
        del self._numbers[invocation], self._began[number]
        if self._streaming:
            self._streaming.pop(number, None)
            self._late.pop(number, None)
        if self._link.is_paused:
            self._link.resume()
        if self._handed is not None and (goes_on := self._handed.begin()) is not None:
            self._begin(*goes_on)
        self._sink(RunEnded(self.name, invocation, outcome, run_ms))

    def _on_ready(self, _number: int, payload: bytes) -> None:
        times = untrusted.ready(payload)
        if self.is_ready:
            raise ValueError("ready once more")
        if self.timer is not None:
            self.timer.cancel()
        self.is_ready = True
        made = untrusted.making(times, (self._clock.now() - self._ordered) * 1e3)
        self.process.rest()
        self._sink(SandboxReady(self.name, made.knowing(network=self._plugged_ms, image=self.image_ms)))

    def _on_failed(self, _number: int, payload: bytes) -> None:
        told = untrusted.not_imported(payload)
        self.failure = SandboxFailed(self.name, told.code, told.message, told.traceback)

    def _on_error(self, number: int, payload: bytes) -> None:
        told = untrusted.raised(payload)
        outcome: FunctionError | Failed
        outcome = FunctionError(told.type, told.message, told.traceback)
        if outcome.type == "MemoryError":
            message = f"the function went over its memory of {self.revision.settings.memory_mb} MB"
            outcome = Failed("out_of_memory", message, HINTS["out_of_memory"], outcome.traceback)
        self._ended(number, outcome, told.run_ms)

    def _on_broken(self, number: int, payload: bytes) -> None:
        told = untrusted.broken(payload)
        if told.code == "bad_response":
            self._weigh(REFUSED)
        self._ended(number, Failed(told.code, told.message, HINTS[told.code]), 0.0)

    def _on_head(self, number: int, payload: bytes) -> None:
        invocation = self._running[number]
        if number in self._streaming:
            raise ValueError("a head once more")
        _, status, kinds, heads = wire.RESULT_HEAD.unpack_from(payload)
        at = 12 + kinds
        kind = payload[12:at].strip()
        try:
            headers = untrusted.fields(payload[at : at + heads], kind)
        except HeadTooLarge:
            headers = untrusted.TOO_MANY  # the gateway refuses these, and stops the invocation as it should be stopped
        self._streaming[number] = None
        self._sink(RunHead(self.name, invocation, status, (((b"content-type", kind),) if kind else ()) + headers))

    def _on_body(self, number: int, payload: bytes) -> None:
        if number not in self._streaming:
            raise ValueError("a body before its head")
        if not payload:
            raise ValueError("a body without content")
        if number in self._late:
            self._late[number] += len(payload)
            if self._late[number] > LATE_BYTES:
                raise ValueError("it does not wait")
        self._weigh(1)
        self._sink(RunBody(self.name, self._running[number], payload))

    def _on_end(self, number: int, payload: bytes) -> None:
        took, *_ = wire.RESULT_HEAD.unpack_from(payload)
        self._ended(number, Ok(streamed=True), milliseconds(took))

    def _on_log(self, number: int, payload: bytes) -> None:
        size = payload[0]
        if size > STREAM_MOST or len(payload) > LOG_MOST:
            raise ValueError("no log of ours")
        self._weigh(1 + len(payload) / LOG_UNIT)
        self._log(self._running.get(number, ""), payload[1 : 1 + size].decode(), payload[1 + size :])

    def _on_bounced(self, number: int, _payload: bytes) -> None:
        if self._handed is None:
            raise ValueError("nothing was handed ahead")
        self._sink(TakenBack(self.name, (self._handed.bounced(number),), by_itself=True))

    def _on_ask(self, number: int, payload: bytes) -> None:
        self._weigh(1)
        self._questions.take(number, payload, is_deaf=self._link.is_pressed)

    def _left_s(self, number: int) -> float | None:
        began = self._began.get(number)
        return None if began is None else began + self.revision.settings.timeout_s - self._loop.time()

    def _weigh(self, units: float) -> None:
        if wait_s := self._pace.wait_s(units):
            self._link.rest(wait_s)

    def _log(self, invocation: str, stream: str, data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        stream, _, target = stream.partition(wire.OF)
        self._sink(Logged(self.revision.function, self.revision.id, self.name, invocation, stream, text, target))

    def _closed(self, why: str) -> None:
        self.process.kill(why + ", and was killed")

    def _pressed(self, paused: bool) -> None:  # noqa: FBT001 - mirrors messages.Flow
        for invocation in list(self._numbers):
            self._sink(RunFlow(self.name, invocation, paused))


def _invoke(number: int, invocation: Invocation) -> bytes:
    name, request = invocation.id, invocation.request
    named = f"{name} {request.trace}" if request.trace else name
    raw_id, kind, query = named.encode(), request.content_type.encode("latin-1"), request.query.encode("latin-1")
    sizes = (len(raw_id), len(kind), len(query))
    body = request.body
    size = 6 + sizes[0] + sizes[1] + sizes[2] + len(body)
    return b"".join((INVOKE.pack(size, wire.INVOKE, number, *sizes), raw_id, kind, query, body))


HINTS = {
    "out_of_memory": "raise memory_mb, in function.toml or with --memory",
    "bad_request": "send what the message asks for, as JSON: attacca invoke NAME -d '{...}'",
    "bad_response": "return JSON, str, bytes, or a dict with statusCode, headers and body",
    "response_too_large": "send it in pieces, from a generator or an application, or raise max_response_mb",
}
