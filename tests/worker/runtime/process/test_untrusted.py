"""What a user's code can say, and how much of it is believed."""

import json
import math
from collections.abc import Callable
from itertools import chain
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.guest import channel as wire
from attacca.guest.channel import FIELDS_MOST, HEAD_BYTES
from attacca.model.function import EventShape, Signature
from attacca.worker.runtime.process import untrusted
from attacca.worker.runtime.process.untrusted import FOREVER_MS, NONSENSE, HeadTooLarge, fields
from tests.cases import each

TIMES = st.floats(0, 1e8) | st.integers(0, 10**8)
SHORT, TEXT = st.text(max_size=20), st.text(max_size=20)
THREE = {"sandbox_ms": TIMES, "code_ms": TIMES, "imports_ms": TIMES}
DOORS: dict[str, tuple[Callable[[bytes], Any], Any]] = {
    "ready": (untrusted.ready, st.fixed_dictionaries(THREE)),
    "imported": (
        untrusted.imported,
        st.fixed_dictionaries(
            {
                **THREE,
                "handler": SHORT,
                "signature": st.sampled_from([str(one) for one in Signature]),
                "unfit": SHORT,
                "notes": st.lists(SHORT, max_size=5).map(tuple),
                "event": st.sampled_from([str(one) for one in EventShape]),
                "memory_kb": st.integers(0, 1 << 40),
                "logs": TEXT,
            }
        ),
    ),
    "not_imported": (
        untrusted.not_imported,
        st.fixed_dictionaries(
            {"code": st.sampled_from(get_args(untrusted.Failure)), "message": TEXT},
            optional={"hint": TEXT, "traceback": TEXT, "logs": TEXT},
        ),
    ),
    "raised": (
        untrusted.raised,
        st.fixed_dictionaries({"type": SHORT, "message": TEXT, "traceback": TEXT, "run_ms": TIMES}),
    ),
    "broken": (
        untrusted.broken,
        st.fixed_dictionaries({"code": st.sampled_from(get_args(untrusted.Breakage)), "message": TEXT}),
    ),
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(10**300, 10**400) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("door", DOORS)
@given(data=st.data())
def test_what_is_said_properly_is_understood(door: str, data: st.DataObject) -> None:
    decode, sayings = DOORS[door]
    told = data.draw(sayings)
    found = msgspec.to_builtins(decode(json.dumps(told).encode()))
    assert {name: found[name] for name in told} == told


@pytest.mark.parametrize("door", DOORS)
@given(data=st.data())
def test_one_thing_wrong_with_it_is_nonsense_or_changes_nothing_else(door: str, data: st.DataObject) -> None:
    decode, sayings = DOORS[door]
    told = data.draw(sayings)
    name = data.draw(st.sampled_from(sorted(told)))
    wrong = data.draw(ANYTHING)
    try:
        found = json.loads(msgspec.json.encode(decode(json.dumps({**told, name: wrong}).encode())))
    except NONSENSE:
        return
    assert type(found[name]) in (type(wrong), float), "nothing is taken for something else"
    if isinstance(found[name], float | int):
        assert 0 <= found[name] < FOREVER_MS or name == "memory_kb"


@pytest.mark.parametrize("door", [*(decode for decode, _ in DOORS.values()), fields])
@given(raw=st.binary(max_size=60) | ANYTHING.map(lambda one: json.dumps(one).encode()))
def test_whatever_else_comes_is_nonsense(door: Callable[[bytes], object], raw: bytes) -> None:
    try:
        door(raw)
    except (*NONSENSE, HeadTooLarge):
        return
    assert door is fields or raw.lstrip()[:1] == b"{"


@pytest.mark.parametrize("door", [*(decode for decode, _ in DOORS.values()), fields])
@pytest.mark.parametrize("raw", [b"[" * 60_000, b'{"a":' * 20_000, b'["' + b"x" * 120_000, b"9" * 100_000], ids=len)
def test_what_is_deep_or_long_is_nonsense(door: Callable[[bytes], object], raw: bytes) -> None:
    with pytest.raises((*NONSENSE, HeadTooLarge)):
        door(raw)


@each("took", ["-1", "-0.001", "1e9", "1e400", "NaN", "Infinity", "null", '"1"', "true", "1" * 400])
def test_a_time_that_cannot_be_is_nonsense(took: str) -> None:
    right = {"sandbox_ms": 1, "code_ms": 1, "imports_ms": 1}
    for name in right:
        with pytest.raises(NONSENSE):
            untrusted.ready(json.dumps(right | {name: "HERE"}).replace('"HERE"', took).encode())


@given(st.floats() | st.integers())
def test_milliseconds_are_some_or_none(took: float) -> None:
    found = untrusted.milliseconds(took)
    assert found in (took, 0.0)
    assert 0 <= found < FOREVER_MS
    assert math.isfinite(found)


RAW = st.binary(max_size=8) | st.sampled_from([b"", b"\n", b"a\nb"])


@given(st.lists(st.tuples(RAW, RAW), max_size=8))
def test_fields_come_as_they_were_meant_and_never_as_more(pairs: list[tuple[bytes, bytes]]) -> None:
    wanted = tuple((name.replace(b"\n", b"\0"), value.replace(b"\n", b"\0")) for name, value in pairs)
    assert fields(wire.lines(list(chain.from_iterable(pairs)))) == wanted


def test_a_name_without_a_value_is_nonsense() -> None:
    with pytest.raises(NONSENSE):
        fields(b"a\nb\nc")


def test_no_more_fields_than_a_client_takes() -> None:
    most = [b"a", b"b"] * FIELDS_MOST
    assert len(fields(wire.lines(most))) == FIELDS_MOST
    with pytest.raises(HeadTooLarge, match=f"{FIELDS_MOST + 1} header fields"):
        fields(wire.lines([*most, b"a", b"b"]))


def test_no_longer_head_than_a_client_takes() -> None:
    many = [b"n", b"x" * 99] * (FIELDS_MOST - 1)
    rest = HEAD_BYTES - sum(map(len, many))
    full = [*many, b"n", b"x" * (rest - 1)]
    assert len(fields(wire.lines(full))) == FIELDS_MOST
    with pytest.raises(HeadTooLarge, match="at most 64 can be sent"):
        fields(wire.lines([*many, b"n", b"x" * rest]))
    with pytest.raises(HeadTooLarge):
        fields(wire.lines(full), b"c")


def test_what_is_far_too_long_is_not_even_read() -> None:
    with pytest.raises(HeadTooLarge, match="over 64 KB"):
        fields(b"no lines at all" * HEAD_BYTES)


def test_no_fields_are_none() -> None:
    assert fields(b"") == ()
    assert len(untrusted.TOO_MANY) > FIELDS_MOST, "whoever looks sees that they are too many"
