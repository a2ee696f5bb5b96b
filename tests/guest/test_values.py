"""What people return beside dicts, lists, texts and numbers, and what becomes of it."""

import collections
import datetime as dt
import enum
import ipaddress
import json
import sqlite3
import uuid
from dataclasses import dataclass
from decimal import Decimal
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.guest import values
from attacca.guest.answers import Answer, Unsendable, encode
from tests.cases import each


def written(value: Any) -> str:
    answer = encode(value)
    assert isinstance(answer, Answer)
    assert answer.content_type == b"application/json"
    return answer.body.decode()


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Point(NamedTuple):
    x: int
    y: int


@dataclass
class Item:
    name: str
    price: Decimal
    tags: frozenset[str] = frozenset()


class Old:
    """As pydantic's models were in its version 1."""

    __fields__ = ("a",)

    def dict(self) -> dict[str, int]:
        return {"a": 1}


ZERO = uuid.UUID(int=0)
DAY = dt.date(2024, 1, 2)


@each(
    "value, found",
    [
        (Decimal("1.10"), "1.1"),
        (Decimal("100"), "100"),
        (Decimal("1E+5"), "100000"),
        (Decimal("-0.5"), "-0.5"),
        (Decimal("12345678901234567890123456789012345678"), "12345678901234567890123456789012345678"),
        (Decimal("0.1234567890123456789012345678"), "0.1234567890123456789012345678"),
        (DAY, '"2024-01-02"'),
        (dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC), '"2024-01-02T03:04:05+00:00"'),
        (dt.time(3, 4), '"03:04:00"'),
        (dt.timedelta(minutes=1, milliseconds=500), "60.5"),
        (ZERO, '"00000000-0000-0000-0000-000000000000"'),
        (PurePosixPath("/tmp/x"), '"/tmp/x"'),
        (ipaddress.ip_address("127.0.0.1"), '"127.0.0.1"'),
        ({3, 1, 2}, "[1, 2, 3]"),
        (frozenset(("b", "a")), '["a", "b"]'),
        (Color.RED, '"red"'),
        (Level.HIGH, "3"),
        (Point(1, 2), "[1, 2]"),
        (Item("x", Decimal("1.5")), '{"name": "x", "price": 1.5, "tags": []}'),
        (Old(), '{"a": 1}'),
        (collections.OrderedDict(a=1), '{"a": 1}'),
        (collections.defaultdict(int, a=1), '{"a": 1}'),
        (collections.deque([1, 2]), "[1, 2]"),
        (MappingProxyType({"a": 1}), '{"a": 1}'),
        (collections.ChainMap({"a": 1}), '{"a": 1}'),
        ({"a": 1}.keys(), '["a"]'),
        (range(3), "[0, 1, 2]"),
    ],
)
def test_what_json_does_not_know_is_written_as_what_it_says(value: Any, found: str) -> None:
    assert written([value]) == f"[{found}]"
    assert written({"v": value}) == f'{{"v": {found}}}'
    if not isinstance(value, str):
        assert written(value) == found


def test_a_row_of_a_database_is_a_dict() -> None:
    base = sqlite3.connect(":memory:")
    base.row_factory = sqlite3.Row
    assert written(base.execute("select 1 as a, 'x' as b").fetchall()) == '[{"a": 1, "b": "x"}]'
    base.close()


def test_keys_are_written_as_json_does_and_as_what_they_say() -> None:
    told = {1: 1, None: 2, False: 3, 1.5: 4}
    assert written(told) == json.dumps(told)
    others: dict[Any, Any] = {
        ZERO: DAY,
        DAY: Decimal("0.10"),
        Color.RED: {1},
        Level.HIGH: [Item("x", Decimal(1))],
        Decimal("1.0"): 1,
    }
    assert json.loads(written(others)) == {
        str(ZERO): "2024-01-02",
        "2024-01-02": 0.1,
        "red": [1],
        "3": [{"name": "x", "price": 1, "tags": []}],
        "1": 1,
    }
    with pytest.raises(Unsendable, match="keys must be texts, numbers, dates, UUIDs or None, not tuple"):
        written({(1, 2): 1})


@each(
    "value, says",
    [
        ({"a": b"x"}, "bytes cannot stand inside JSON: return them alone, or decode a text"),
        ([Decimal("NaN")], "NaN is not a number that JSON knows"),
        ({1: Decimal("Infinity")}, "Infinity is not a number that JSON knows"),
        ([float("nan")], "not JSON compliant"),
        ([object()], "Object of type object is not JSON serializable"),
        ({"a": 1j}, "Object of type complex"),
        ({"a": Item}, "Object of type type"),
    ],
)
def test_what_nobody_could_read_is_refused(value: Any, says: str) -> None:
    with pytest.raises(Unsendable, match=says):
        encode(value)


def test_what_contains_itself_is_refused_however_it_is_written() -> None:
    told: dict[Any, Any] = {}
    told["a"] = told
    with pytest.raises(Unsendable):
        encode(told)
    told[ZERO] = told
    with pytest.raises(Unsendable):
        encode(told)


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_no_decimal_loses_a_digit(value: Decimal) -> None:
    assert Decimal(json.loads(written([value]), parse_float=Decimal)[0]) == value


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text("aé\n\u2028")
        | st.floats(allow_nan=False, allow_infinity=False),
        lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=3) | st.integers(), one, max_size=3),
    )
)
def test_both_ways_of_writing_agree(value: Any) -> None:
    assert values.dumps(value) == json.dumps(value, ensure_ascii=False).encode()
