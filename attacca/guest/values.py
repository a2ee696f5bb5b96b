"""What people return beside dicts, lists, texts and numbers, made simple enough for JSON; and JSON for what is left.

Simple means: one step nearer to JSON. What is inside has its own turn.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

WHOLE_MOST = 400  # digits of a Decimal that is written as a whole number
AS_TEXT = (
    "uuid",
    "pathlib",
    "ipaddress",
    "bson.objectid",
    "yarl",
)  # modules; not imported for who returns nothing of it
BYTES_IN_JSON = (
    "bytes cannot stand inside JSON: return them alone, or decode a text (.decode()), or write others as base64 "
    "(base64.b64encode(data).decode())"
)


class TooExact(TypeError):
    """A Decimal has more digits than a float keeps."""


def simple(value: Any) -> Any:
    """
    Raises:
        TypeError, ValueError: nothing of the kind is known.
    """
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, date | time):  # and datetime, which is a date
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if _is_text(type(value)):
        return str(value)
    if isinstance(value, bytes | bytearray | memoryview):
        raise TypeError(BYTES_IN_JSON)
    if isinstance(value, set | frozenset):
        return _in_order(value)
    if not isinstance(value, type):
        told = _told(value)
        if told is not None:
            return told[0]
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _number(value: Decimal) -> int | float:
    if not value.is_finite():
        raise ValueError(f"{value} is not a number that JSON knows")
    if value == value.to_integral_value() and value.adjusted() < WHOLE_MOST:
        return int(value)
    found = float(value)
    if Decimal(repr(found)) != value:
        raise TooExact(f"the Decimal {value} has more digits than a float")
    return found


def _in_order(value: Iterable[Any]) -> list[Any]:
    try:
        return sorted(value)
    except TypeError:
        return list(value)


def _told(value: Any) -> tuple[Any] | None:
    """What it says of itself, in a tuple because that may be None."""
    kind = type(value)
    if callable(dump := getattr(kind, "model_dump", None)):  # pydantic
        return (dump(value, mode="json"),)
    if hasattr(kind, "__fields__") and callable(getattr(kind, "dict", None)):  # its version 1
        return (value.dict(),)
    if (names := _fields(kind)) is not None:
        return ({name: getattr(value, name) for name in names if hasattr(value, name)},)
    for name in ("to_dicts", "tolist", "to_list"):  # frames of polars; of numpy, array, torch; series of both
        if callable(getattr(kind, name, None)):
            return (getattr(value, name)(),)
    if callable(getattr(kind, "to_dict", None)):  # pandas
        return (value.to_dict("records") if hasattr(value, "columns") else value.to_dict(),)
    if isinstance(value, Mapping) or (hasattr(kind, "keys") and hasattr(kind, "__getitem__")):
        return ({key: value[key] for key in value.keys()},)  # noqa: SIM118 - rows of sqlite3 iterate over their values
    if hasattr(kind, "__iter__"):
        return (list(value),)
    return None


def _is_text(kind: type) -> bool:
    return any(base.__module__.startswith(AS_TEXT) for base in kind.__mro__)


def _fields(kind: type) -> list[str] | None:
    """The names of a dataclass, of attrs, or of msgspec."""
    if hasattr(kind, "__dataclass_fields__"):
        from dataclasses import fields  # it is loaded, then

        return [field.name for field in fields(kind)]
    if (attributes := getattr(kind, "__attrs_attrs__", None)) is not None:
        return [attribute.name for attribute in attributes]
    names = getattr(kind, "__struct_fields__", None)
    return None if names is None else list(names)


# What the quick encoder cannot write: keys that are not texts, and numbers with many digits.


def dumps(value: Any) -> bytes:
    """
    Raises:
        TypeError, ValueError, RecursionError: it cannot be JSON.
    """
    return _written(value).encode()


def _written(value: Any) -> str:
    if isinstance(value, str | int | float) or value is None:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)}: {_written(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_written, value)) + "]"
    if isinstance(value, Decimal):
        try:
            return str(_number(value))
        except TooExact:
            return str(value)
    return _written(simple(value))


def _key(key: Any) -> str:
    """As `json` writes keys; those that are written as texts anywhere else are texts here too."""
    if isinstance(key, Enum) and not isinstance(key, str | int):
        return _key(key.value)
    if isinstance(key, Decimal):
        key = _written(key)
    elif isinstance(key, date | time) or _is_text(type(key)):
        key = simple(key)
    elif key is None or isinstance(key, int | float):
        key = json.dumps(key, allow_nan=False)
    elif not isinstance(key, str):
        raise TypeError(f"keys must be texts, numbers, dates, UUIDs or None, not {type(key).__name__}")
    return json.dumps(key, ensure_ascii=False)
