"""What the sandbox of an event function is told, and what it sends: frames, decoded once and bounded."""

import struct
from collections.abc import Callable

from attacca.guest import channel as wire
from attacca.model.events import EVENT_BYTES, STATE_BYTES, TARGET_BYTES, Delivery, EventKind, ReplyKind
from attacca.worker.core.reports import EventAsked, EventSent, Sink, StateOffered

DAY_S = 86_400.0
KINDS = {
    EventKind.INIT: wire.INIT, EventKind.CAST: wire.CASTED, EventKind.CALL: wire.CALLED, EventKind.STOP: wire.HALT,
}  # fmt: skip
EVENT = struct.Struct(wire.HEAD.format + wire.EVENT_HEAD.format[1:])
REPLIED = struct.Struct(wire.HEAD.format + wire.REPLIED_HEAD.format[1:])
HEADS = wire.EVENT_HEAD.size, wire.REPLIED_HEAD.size
REPLIES = {ReplyKind.NOTHING: wire.NOTHING, ReplyKind.REPLY: wire.A_REPLY, ReplyKind.ERROR: wire.AN_ERROR}


class EventFrames:
    """Of one sandbox."""

    def __init__(self, sandbox: str, sink: Sink, send: Callable[[bytes], None]) -> None:
        self._sandbox, self._sink, self._send = sandbox, sink, send
        self.takers = {wire.CAST: self._on_cast, wire.CALL: self._on_call, wire.SYNC: self._on_sync}
        self._told = self._heard = 0

    def __repr__(self) -> str:
        return f"<EventFrames {self._told} told, {self._heard} heard>"

    def deliver(self, number: int, delivery: Delivery) -> None:
        self._told += 1
        source, data, state = delivery.source.encode(), delivery.data, delivery.state
        has = (wire.HAS_DATA if data is not None else 0) | (wire.HAS_STATE if state is not None else 0)
        data, state = data or b"", state or b""
        size = HEADS[0] + len(source) + len(data) + len(state)
        head = EVENT.pack(size, wire.EVENT, number, KINDS[delivery.kind], has, len(source), len(data))
        self._send(b"".join((head, source, data, state)))

    def reply(self, asked: int, kind: ReplyKind, data: bytes) -> None:
        self._told += 1
        head = REPLIED.pack(HEADS[1] + len(data), wire.REPLIED, 0, asked, REPLIES[kind])
        self._send(head + data)

    # What it says; raises one of untrusted.NONSENSE where that cannot be.

    def _on_cast(self, _number: int, payload: bytes) -> None:
        seconds, is_instance, target, data = _addressed(payload)
        self._heard += 1
        self._sink(EventSent(self._sandbox, target, is_instance, data, seconds))

    def _on_call(self, _number: int, payload: bytes) -> None:
        (asked,) = wire.ID.unpack_from(payload)
        seconds, is_instance, target, data = _addressed(payload[wire.ID.size :])
        self._heard += 1
        self._sink(EventAsked(self._sandbox, asked, target, is_instance, data, seconds))

    def _on_sync(self, _number: int, payload: bytes) -> None:
        (asked,) = wire.ID.unpack_from(payload)
        if len(payload) > STATE_BYTES:
            raise ValueError("a state that is too large")
        self._heard += 1
        self._sink(StateOffered(self._sandbox, asked, payload[wire.ID.size :]))


def _addressed(payload: bytes) -> tuple[float, bool, str, bytes]:
    seconds, mode, size = wire.TARGET_HEAD.unpack_from(payload)
    at = wire.TARGET_HEAD.size + size
    if not 0.0 <= seconds <= DAY_S or mode not in (wire.AN_OUTPUT, wire.AN_INSTANCE):
        raise ValueError("no event of ours")
    if not 0 < size <= TARGET_BYTES or len(payload) < at or len(payload) - at > EVENT_BYTES:
        raise ValueError("an event that is too large, or for nobody")
    return seconds, mode == wire.AN_INSTANCE, payload[wire.TARGET_HEAD.size : at].decode(), payload[at:]
