"""How far one request and its answer have come.

             ┌─────────────────────────── whole ──────────────────────────┐
    idle ────┼─ open ───▶ collecting ──wait──▶ waiting ──room──▶ collecting ── last ─▶ served ── head ─▶ answering
             └─ stream ─▶ uploading ── last ─▶ served                        │                  │
                              ├─ head ─▶ both ── last ─▶ answering           └── end ──▶ idle ◀─┘
                              └─ pass ─▶ passing ── last ─▶ idle

An answer that ends while the request still arrives ends its connection, unless what still comes is little (pass).
Behind `closed`, which can come at any time, nothing matters.
"""

from enum import IntEnum

from attacca.errors import IllegalTransition


class Phase(IntEnum):
    IDLE = 0
    COLLECTING = 1  # the head is known, and the body is kept until it is whole
    WAITING = 2  # for room for it
    SERVED = 3  # the request is here, and an answer is owed
    UPLOADING = 4  # an answer is owed, and the rest of the body goes on to whoever answers
    ANSWERING = 5  # the head of the answer is out
    BOTH = 6  # that, and the rest of the body still comes
    PASSING = 7  # it is answered, and what still comes of its body passes by
    CLOSED = 8


IDLE, COLLECTING, WAITING, SERVED = Phase.IDLE, Phase.COLLECTING, Phase.WAITING, Phase.SERVED
UPLOADING, ANSWERING, BOTH, PASSING, CLOSED = (
    *(Phase.UPLOADING, Phase.ANSWERING, Phase.BOTH, Phase.PASSING, Phase.CLOSED),
)
ARRIVING = (UPLOADING, BOTH, PASSING)  # the rest of a body comes, and is not collected

Row = tuple[Phase | None, ...]  # of an event: what each phase becomes; None: it cannot happen there
NO = None
#              idle        collecting waiting     served     uploading  answering  both       passing    closed
WHOLE: Row = (SERVED,     NO,        NO,         NO,        NO,        NO,        NO,        NO,        NO)  # fmt: skip
OPEN: Row = (COLLECTING,  NO,        NO,         NO,        NO,        NO,        NO,        NO,        NO)  # fmt: skip
STREAM: Row = (UPLOADING, NO,        NO,         NO,        NO,        NO,        NO,        NO,        NO)  # fmt: skip
WAIT: Row = (NO,          WAITING,   NO,         NO,        NO,        NO,        NO,        NO,        NO)  # fmt: skip
ROOM: Row = (NO,          NO,        COLLECTING, NO,        NO,        NO,        NO,        NO,        NO)  # fmt: skip
LAST: Row = (NO,          SERVED,    NO,         NO,        SERVED,    NO,        ANSWERING, IDLE,      NO)  # fmt: skip
HEAD: Row = (NO,          NO,        NO,         ANSWERING, BOTH,      NO,        NO,        NO,        NO)  # fmt: skip
END: Row = (NO,           NO,        NO,         IDLE,      CLOSED,    IDLE,      CLOSED,    NO,        NO)  # fmt: skip
PASS: Row = (NO,          NO,        NO,         NO,        PASSING,   NO,        NO,        NO,        NO)  # fmt: skip
CLOSE: Row = (CLOSED,) * len(Phase)
EVENTS = {
    "whole": WHOLE, "open": OPEN, "stream": STREAM, "wait": WAIT, "room": ROOM, "last": LAST, "head": HEAD,
    "end": END, "pass": PASS, "close": CLOSE,
}  # fmt: skip


def refused(phase: Phase, row: Row) -> IllegalTransition:
    event = next(name for name, known in EVENTS.items() if known is row)
    return IllegalTransition(f"an exchange is {phase.name.lower()}: {event} cannot happen")
