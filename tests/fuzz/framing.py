"""Frames as an agent writes them into its pipe, and as somebody would who means harm."""

import json
import math
from itertools import pairwise
from random import Random
from typing import Any
from zlib import crc32

from attacca.guest import channel as wire
from attacca.worker.runtime.process.sandbox import SLACK
from tests.fuzz.mutation import UNICODE

LARGEST = (1 << 20) + SLACK
KINDS = (
    wire.READY,
    wire.FAILED,
    wire.RESULT,
    wire.ERROR,
    wire.RESPONSE_HEAD,
    wire.RESPONSE_BODY,
    wire.RESPONSE_END,
    wire.LOG,
    wire.BROKEN,
    wire.ASK,
)
STRANGE = (0, 1, 2, 9, 12, 15, 26, 32, 34, 35, 36, 37, 99, 255)
CODES = (
    "out_of_memory",
    "bad_request",
    "bad_response",
    "response_too_large",
    "bad_function",
    "timeout",
    "",
    "internal",
    "__class__",
)


def cuttings(said: bytes) -> list[list[bytes]]:
    chance = Random(crc32(said))
    places = sorted({chance.randint(0, len(said)) for _ in range(chance.randint(1, 8))} | {0, len(said)})
    return [[said], [said[start:end] for start, end in pairwise(places)]]


def left_over(said: bytes) -> bool:
    """Does it end in the middle of a frame?"""
    at = 0
    while len(said) - at >= wire.HEAD.size:
        at += wire.HEAD.size + wire.HEAD.unpack_from(said, at)[0]
    return at != len(said)


def frame(kind: int, number: int, payload: bytes = b"") -> bytes:
    return wire.HEAD.pack(len(payload), kind, number) + payload


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def times() -> dict[str, Any]:
    return {"sandbox_ms": 1.0, "code_ms": 2.0, "imports_ms": 3.0}


def raised() -> dict[str, Any]:
    return {"type": "ValueError", "message": "no", "traceback": "Traceback", "run_ms": 1.5}


def head(
    kind: bytes = b"",
    headers: list[list[str]] | None = None,
    body: bytes = b"",
    *,
    raw: bytes = b"",
    took: float = 1.0,
    status: int = 200,
) -> bytes:
    fields = raw or wire.lines([text.encode("latin-1", "replace") for pair in headers or [] for text in pair])
    return wire.RESULT_HEAD.pack(took, status, len(kind), len(fields)) + kind + fields + body


def drawn(chance: Random) -> bytes:
    """Mostly right."""
    kind = chance.choice(KINDS) if chance.random() < 0.95 else chance.choice(STRANGE)
    number = (
        chance.choice((1, 1, 2, 3)) if chance.random() < 0.9 else chance.choice((0, 4, 5, 255, 1 << 31, (1 << 32) - 1))
    )
    payload = payload_of(kind, chance)
    if chance.random() < 0.08:
        payload = payload[: chance.randint(0, len(payload))]
    if chance.random() < 0.04:
        return (
            wire.HEAD.pack(
                chance.choice((0, len(payload) + 1, 70_000, LARGEST, LARGEST + 1, (1 << 32) - 1)), kind, number
            )
            + payload
        )
    return frame(kind, number, payload)


def payload_of(kind: int, chance: Random) -> bytes:
    is_odd = chance.random() < 0.25
    match kind:
        case wire.READY:
            return as_json(odd(times(), chance) if is_odd else times())
        case wire.FAILED:
            told = {"code": chance.choice(CODES), "message": "m", "hint": "h", "traceback": "t", "logs": "l"}
            return as_json(odd(told, chance) if is_odd else told)
        case wire.ERROR:
            told = raised() | {"type": chance.choice(("ValueError", "MemoryError", ""))}
            return as_json(odd(told, chance) if is_odd else told)
        case wire.BROKEN:
            told = {"code": chance.choice(CODES), "message": "m"}
            return as_json(odd(told, chance) if is_odd else told)
        case wire.RESULT | wire.RESPONSE_HEAD | wire.RESPONSE_END:
            took = chance.choice((1.0, 0.0, -1.0, 1e30, math.nan, math.inf, -math.inf)) if is_odd else 1.0
            names = ("x", "X-Y", "content-length", "", "é", "\ud800", "a\r\nb", "n" * 300)
            pairs = [
                [chance.choice(names if is_odd else names[:2]), "v" * chance.choice((0, 1, 500))]
                for _ in range(chance.choice((0, 1, 3, 250)))
            ]
            raw = (
                chance.choice((b"", b"\n", b"a", b"a\nb\nc", b"\n\n\n", b"a\n\xff", b"\n" * 399, b"x" * 70_000))
                if is_odd
                else b""
            )
            return head(
                chance.choice((b"", b"text/plain", b"\xff")),
                pairs,
                b"x" * chance.choice((0, 1, 1000, 66_000)),
                raw=raw,
                took=took,
                status=chance.choice((200, 0, 99, 600, 65_535)),
            )
        case wire.LOG:
            stream = (
                chance.choice((b"stdout", b"stderr", b"", b"s" * 64, b"s" * 65, b"s" * 255, b"\xff"))
                if is_odd
                else b"stdout"
            )
            return (
                bytes((len(stream),)) + stream + chance.choice(("x", *UNICODE)).encode() * chance.choice((1, 100, 5000))
            )
        case wire.ASK:
            more = b"x" * (chance.choice((0, 4000, 5000, 66_000)) if is_odd else 0)
            return wire.ASK_HEAD.pack(chance.choice((0, 1, 1 << 31)), chance.choice((1, 1, 0, 255))) + more
        case _:
            return b"x" * chance.choice((0, 1, 9, 1000, 66_000))


def odd(told: dict[str, Any], chance: Random) -> dict[str, Any]:
    key = chance.choice(sorted(told))
    value: Any = chance.choice(
        (None, True, -1, 0, 1e308, 10**30, 10**400, "", "x" * 2000, "x" * 100_001, [], {}, [[]], "\ud800", *UNICODE)
    )
    return {**told, key: value} if chance.random() < 0.8 else {one: told[one] for one in told if one != key}
