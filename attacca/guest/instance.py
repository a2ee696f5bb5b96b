"""An event function at work: it handles one event after the other, and sends others meanwhile.

    class Counter:
        def init(self, ctx, payload, state): ...          # once, before any event
        def cast(self, ctx, source, message): ...         # an event that wants no reply
        def call(self, ctx, source, message): return ...  # one that does: bytes, a text, what JSON can say, or None
        def stop(self, ctx): ...                          # once, after the last

Any of them may be left out, and any be a coroutine; a module with functions of these names does as well.
"""

import json
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any

from attacca.guest import channel as wire
from attacca.guest import output
from attacca.guest.load import Loaded
from attacca.guest.serve import Server

NAMES = ("init", "cast", "call", "stop")
IDS = 1 << 32
FOREVER_S = 1e9
KNOWN_MOST = 1000  # heads of frames that are made once
LEVELS = frozenset({"error", "warning", "info", "debug", "trace"})


_known: dict[tuple[int, str], bytes] = {}


class CallFailed(Exception):
    """A call had no reply: whoever was called raised, is not there, or took too long. The message says which."""


class Message(bytes):
    """What came with an event."""

    __slots__ = ()

    @property
    def text(self) -> str:
        return self.decode()

    def json(self) -> Any:
        return json.loads(self)


class InstanceContext:
    """What an event function is told of itself, and what it may ask for. Replies and states come to it as `Message`."""

    def __init__(self, wires: "Wires", self_id: str, workflow: str) -> None:
        self._wires = wires
        self.self_id, self.workflow = self_id, workflow

    def __repr__(self) -> str:
        return f"<InstanceContext of {self.self_id}>"

    def cast(self, output: str, message: object = None) -> None:
        """Send it to whatever the workflow has joined to the output; `self` is this instance."""
        self._wires.cast(wire.AN_OUTPUT, output, message, 0.0)

    def cast_to(self, instance: str, message: object = None) -> None:
        """Send it to an instance, say to the source of an event."""
        self._wires.cast(wire.AN_INSTANCE, instance, message, 0.0)

    def delayed_cast(self, seconds: float, output: str, message: object = None) -> None:
        """Send it when so much time has passed, if this instance is there by then."""
        self._wires.cast(wire.AN_OUTPUT, output, message, seconds)

    def call(self, output: str, message: object = None, timeout: float | None = None) -> Any:
        """Send it, and wait for the reply: a `Message`, or None.

        Raises:
            CallFailed: there is none.
        """
        return self._wires.call(wire.AN_OUTPUT, output, message, timeout)

    def call_to(self, instance: str, message: object = None, timeout: float | None = None) -> Any:
        """The same to one instance.

        Raises:
            CallFailed: there is no reply.
        """
        return self._wires.call(wire.AN_INSTANCE, instance, message, timeout)

    def invoke(self, function: str, message: object = None, timeout: float | None = None) -> Any:
        """Call an ordinary function, with the message as its body, and wait for its answer.

        Raises:
            CallFailed: there is none, or one with a status of an error.
        """
        return self._wires.call(wire.AN_INSTANCE, function + wire.FUNCTIONS, message, timeout)

    def sync(self, state: object) -> Any:
        """Have it kept: whoever takes this instance's place is given it. Returns when it is.

        Raises:
            CallFailed: it is not.
        """
        self._wires.sync(state)

    def log(self, message: object, level: str = "info", target: str = "") -> None:
        if level not in LEVELS:
            raise ValueError(f"there is no level {level!r}; there are {', '.join(sorted(LEVELS))}")
        self._wires.log(level, target, f"{target}: {message}\n" if target else f"{message}\n")


class LaterContext(InstanceContext):
    """The same for handlers that are coroutines."""

    async def call(self, output: str, message: object = None, timeout: float | None = None) -> Any:  # noqa: ASYNC109 - the worker keeps it
        return super().call(output, message, timeout)

    async def call_to(self, instance: str, message: object = None, timeout: float | None = None) -> Any:  # noqa: ASYNC109 - the worker keeps it
        return super().call_to(instance, message, timeout)

    async def invoke(self, function: str, message: object = None, timeout: float | None = None) -> Any:  # noqa: ASYNC109 - the worker keeps it
        return super().invoke(function, message, timeout)

    async def sync(self, state: object) -> Any:
        super().sync(state)


class Wires:
    """An instance's own end of the channel. Only the thread that handles events may wait for something."""

    def __init__(self, channel: wire.Channel, emit: Callable[[int, str, str], None]) -> None:
        self._channel, self._emit = channel, emit
        self._thread = threading.get_ident()
        self._count = 0
        self._replies: dict[int, tuple[int, bytes] | None] = {}
        self.waiting: deque[tuple[int, bytes]] = deque()  # events that came while a reply was waited for

    def __repr__(self) -> str:
        return f"<Wires {self._count} asked, {len(self._replies)} open, {len(self.waiting)} events wait>"

    def cast(self, mode: int, target: str, message: object, seconds: float) -> None:
        self._channel.write(wire.CAST, output.current.get(), _addressed(mode, target, seconds), raw(message))

    def call(self, mode: int, target: str, message: object, timeout: float | None) -> Message | None:
        if timeout is not None and not timeout > 0:
            raise ValueError(f"a timeout is a number of seconds above 0, not {timeout!r}")
        kind, reply = self._ask(wire.CALL, _addressed(mode, target, timeout or 0.0), raw(message))
        return Message(reply) if kind == wire.A_REPLY else None

    def sync(self, state: object) -> None:
        self._ask(wire.SYNC, raw(state))

    def log(self, level: str, target: str, text: str) -> None:
        output.flush()
        named = f"{level}{wire.OF}{target}" if target else level
        stream = named.encode("utf-8", "replace")[: output.NAME_BYTES].decode("utf-8", "ignore")
        self._emit(output.current.get(), stream, text)

    def _ask(self, kind: int, *parts: bytes) -> tuple[int, bytes]:
        if threading.get_ident() != self._thread:
            raise CallFailed("only the thread that handles the event can wait for it")
        self._count += 1
        number = self._count % IDS
        self._replies[number] = None
        try:
            self._channel.write(kind, output.current.get(), wire.ID.pack(number), *parts)
            while (found := self._replies[number]) is None:
                self._hear(*self._channel.read())
        finally:
            del self._replies[number]
        if found[0] == wire.AN_ERROR:
            raise CallFailed(found[1].decode("utf-8", "replace"))
        return found

    def _hear(self, kind: int, number: int, payload: bytes) -> None:
        if kind == wire.EVENT:
            self.waiting.append((number, payload))
        elif kind == wire.REPLIED:
            asked, what = wire.REPLIED_HEAD.unpack_from(payload)
            if asked in self._replies:
                self._replies[asked] = what, payload[wire.REPLIED_HEAD.size :]


class Host:
    """Calls the handlers of one instance."""

    def __init__(self, server: Server, loaded: Loaded, channel: wire.Channel) -> None:
        self._server, self._made = server, loaded.call
        self._handlers: dict[str, Callable[..., Any]] = {}
        self._wires = Wires(channel, server.ledger.emit)
        self._channel = channel
        self._context: InstanceContext

    def __repr__(self) -> str:
        return f"<Host of {', '.join(self._handlers) or 'nothing yet'}, {self._wires}>"

    def serve(self) -> None:
        """
        Raises:
            Closed: the worker is gone.
        """
        waiting, read = self._wires.waiting, self._channel.read
        while True:
            if waiting:
                self._handle(*waiting.popleft())
                continue
            kind, number, payload = read()
            if kind == wire.EVENT:
                self._handle(number, payload)

    def _handle(self, number: int, payload: bytes) -> None:
        output.current.set(number)
        kind, has, size, length = wire.EVENT_HEAD.unpack_from(payload)
        at = wire.EVENT_HEAD.size + size
        source = payload[wire.EVENT_HEAD.size : at].decode()
        data = Message(payload[at : at + length]) if has & wire.HAS_DATA else None
        began = monotonic()
        try:
            if kind == wire.INIT:
                state = Message(payload[at + length :]) if has & wire.HAS_STATE else None
                result = None
                self._init(source, data, state)
            else:
                result = self._event(kind, source, data)
            reply = None if result is None else raw(result)
        except BaseException as error:  # noqa: BLE001 - whatever the user's code raises, the instance lives on
            self._server.fail(number, error, began)
            return
        took = (monotonic() - began) * 1e3
        self._server.send(number, took, 204 if reply is None else 200, b"", b"", reply or b"")

    def _init(self, source: str, payload: Message | None, state: Message | None) -> None:
        self_id, _, workflow = source.partition("\n")
        made = self._made()
        self._handlers = {name: getattr(made, name) for name in NAMES if callable(getattr(made, name, None))}
        is_later = any(_is_coroutine(one) for one in self._handlers.values())
        self._context = (LaterContext if is_later else InstanceContext)(self._wires, self_id, workflow)
        self._run("init", payload, state)

    def _event(self, kind: int, source: str, message: Message | None) -> Any:
        if kind == wire.HALT:
            self._run("stop")
            return None
        if kind == wire.CALLED:
            if "call" not in self._handlers:
                raise CallFailed("this event function has no call")
            return self._run("call", source, message or Message())
        self._run("cast", source, message or Message())
        return None

    def _run(self, name: str, *arguments: object) -> Any:
        handler = self._handlers.get(name)
        if handler is None:
            return None
        return self._server.run_to_end(handler(self._context, *arguments))


def _is_coroutine(handler: Any) -> bool:
    function = getattr(handler, "__func__", handler)
    code = getattr(function, "__code__", None)
    return bool(code is not None and code.co_flags & 0x80)


def _addressed(mode: int, target: str, seconds: float) -> bytes:
    """Most go at once to one of a few."""
    found = _known.get((mode, target)) if seconds == 0.0 else None
    if found is None:
        found = _packed(mode, target, seconds)
        if seconds == 0.0 and len(_known) < KNOWN_MOST:
            _known[(mode, target)] = found
    return found


def _packed(mode: int, target: str, seconds: float) -> bytes:
    raw_target = target.encode()
    if not 0 <= seconds < FOREVER_S:
        raise ValueError(f"{seconds!r} is no number of seconds to wait")
    return wire.TARGET_HEAD.pack(seconds, mode, len(raw_target)) + raw_target


def raw(value: object) -> bytes:
    """A message as it is sent: bytes as they are, a text as UTF-8, anything else as JSON."""
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, str):
        return value.encode()
    return b"" if value is None else json.dumps(value, separators=(",", ":")).encode()


def prepare(server: Server, loaded: Loaded, channel: wire.Channel) -> Callable[[], None]:
    """What serving it takes, to be called when everything is ready."""
    return Host(server, loaded, channel).serve
