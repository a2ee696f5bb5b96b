import pytest

from attacca.guest import channel as wire
from attacca.model.events import EVENT_BYTES, STATE_BYTES, Delivery, EventKind, ReplyKind
from attacca.worker.core.reports import EventAsked, EventSent, Report, StateOffered
from attacca.worker.runtime.process.event_frames import EventFrames
from attacca.worker.runtime.process.untrusted import NONSENSE
from tests.cases import each


def made() -> tuple[EventFrames, list[Report], list[bytes]]:
    reports: list[Report] = []
    sent: list[bytes] = []
    return EventFrames("s", reports.append, sent.append), reports, sent


def to(target: bytes, data: bytes = b"", seconds: float = 0.0, mode: int = wire.AN_OUTPUT) -> bytes:
    return wire.TARGET_HEAD.pack(seconds, mode, len(target)) + target + data


def test_what_it_says_is_reported() -> None:
    frames, reports, _ = made()
    frames.takers[wire.CAST](1, to(b"out", b"hi", 1.5))
    frames.takers[wire.CALL](1, wire.ID.pack(7) + to(b"a.1@w", b"?", 0.0, wire.AN_INSTANCE))
    frames.takers[wire.SYNC](1, wire.ID.pack(8) + b"state")
    assert reports == [
        EventSent("s", "out", False, b"hi", 1.5),  # noqa: FBT003
        EventAsked("s", 7, "a.1@w", True, b"?", 0.0),  # noqa: FBT003
        StateOffered("s", 8, b"state"),
    ]
    assert repr(frames) == "<EventFrames 0 told, 3 heard>"


@each(
    "kind, payload",
    [
        (wire.CAST, b""),
        (wire.CAST, to(b"")),
        (wire.CAST, to(b"x" * 301)),
        (wire.CAST, to(b"out", seconds=-1.0)),
        (wire.CAST, to(b"out", seconds=float("nan"))),
        (wire.CAST, to(b"out", seconds=1e6)),
        (wire.CAST, to(b"out", mode=2)),
        (wire.CAST, to(b"out")[:-1]),
        (wire.CAST, to(b"\xff")),
        (wire.CAST, to(b"out", bytes(EVENT_BYTES + 1))),
        (wire.CALL, b"\0\0\0"),
        (wire.CALL, wire.ID.pack(1)),
        (wire.SYNC, b"\0"),
        (wire.SYNC, bytes(STATE_BYTES + 1)),
    ],
)
def test_what_cannot_be_is_not_believed(kind: int, payload: bytes) -> None:
    frames, reports, _ = made()
    with pytest.raises(NONSENSE):
        frames.takers[kind](1, payload)
    assert reports == []


def test_what_it_is_told_is_a_frame() -> None:
    frames, _, sent = made()
    frames.deliver(3, Delivery("d", EventKind.INIT, "a@w\nwf", b"payload", b""))
    frames.reply(7, ReplyKind.ERROR, b"why")
    head = wire.EVENT_HEAD.pack(wire.INIT, wire.HAS_DATA | wire.HAS_STATE, 6, 7)
    body = head + b"a@w\nwf" + b"payload"
    answer = wire.REPLIED_HEAD.pack(7, wire.AN_ERROR) + b"why"
    assert sent == [
        wire.HEAD.pack(len(body), wire.EVENT, 3) + body,
        wire.HEAD.pack(len(answer), wire.REPLIED, 0) + answer,
    ]
