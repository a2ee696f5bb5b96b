"""What a parameter's annotation says of a query's or a form's texts: a number, a date, one of some, several of these.

An annotation may be a class, a text (`from __future__ import annotations`), `X | None`, `Optional[X]`, `list[X]`, a
`Literal` or an Enum. What cannot be understood is no reason to refuse anything: the text stays a text.
"""

import sys
from collections.abc import Callable
from types import FunctionType, NoneType, UnionType
from typing import Any, NamedTuple

FALSE = ("", "0", "false", "no", "off")
PLAIN: dict[str, type] = {"int": int, "float": float, "bool": bool}
OTHERS = {  # of the standard library: what makes it of a text, and what it must be
    ("datetime", "datetime"): ("fromisoformat", "a time such as 2026-01-31T12:00:00"),
    ("datetime", "date"): ("fromisoformat", "a date such as 2026-01-31"),
    ("datetime", "time"): ("fromisoformat", "a time such as 12:00:00"),
    ("uuid", "UUID"): ("", "a UUID"),
    ("decimal", "Decimal"): ("", "a number"),
    ("pathlib", "Path"): ("", "a path"),
}
SEQUENCES = (list, tuple, set, frozenset)


class Kind(NamedTuple):
    make: Callable[[str], Any]
    must_be: str  # as in "'times' must be an integer"
    is_optional: bool = False  # then an empty text is None
    many: type | None = None  # list, tuple, set or frozenset of these


TEXT = Kind(str, "a text")
OF_TYPES: dict[type, Kind] = {
    int: Kind(int, "an integer"),
    float: Kind(float, "a number"),
    bool: Kind(lambda text: text.lower() not in FALSE, ""),
    **{many: TEXT._replace(many=many) for many in SEQUENCES},
}


def annotations(function: FunctionType) -> dict[str, Any]:
    try:
        return dict(function.__annotations__)
    except Exception:  # noqa: BLE001 - from Python 3.14 on they are code, which may raise anything
        return {}


def label(note: Any) -> str:
    """As one would write it, module and all where that is known."""
    if isinstance(note, str):
        return note.strip("'\"")
    if isinstance(note, type) and not hasattr(note, "__origin__"):
        return note.__name__ if note.__module__ == "builtins" else f"{note.__module__}.{note.__name__}"
    return "" if note is None else str(note)


def kinds(notes: dict[str, Any], spaces: dict[str, Any] | None = None) -> dict[str, Kind]:
    found = {}
    for name, note in notes.items():
        if name == "return":
            continue
        try:
            kind = kind_of(_evaluated(note, spaces or {}) if isinstance(note, str) else note)
        except Exception:  # noqa: BLE001 - the annotations are the user's own objects
            continue
        if kind is not None:
            found[name] = kind
    return found


def _evaluated(note: str, spaces: dict[str, Any]) -> Any:
    """A text is an expression in the function's own module."""
    if note in PLAIN:
        return PLAIN[note]
    if note[:1] in ("'", '"'):  # a text within a text
        return _evaluated(note[1:-1], spaces)
    return eval(note, dict(spaces))  # the user's code, in the user's sandbox


def kind_of(note: Any) -> Kind | None:
    if isinstance(note, type) and not hasattr(note, "__origin__"):
        return OF_TYPES.get(note) or _of_class(note)
    if isinstance(note, UnionType):
        return _of_union(note.__args__)
    return _of_typing(note) if hasattr(note, "__origin__") else None


def _of_class(note: type) -> Kind | None:
    for name, (make, must_be) in OTHERS.items():
        if (note.__module__.split(".")[0].lstrip("_"), note.__name__) == name:
            return Kind(getattr(note, make) if make else note, must_be)
    enum = sys.modules.get("enum")
    if enum is not None and issubclass(note, enum.Enum):
        return _one_of({str(member.value): member for member in note})  # type: ignore[attr-defined]
    return None


def _of_typing(note: Any) -> Kind | None:
    origin, arguments = note.__origin__, note.__args__
    name = getattr(origin, "__name__", "") or getattr(origin, "_name", "") or str(origin)
    if name.endswith("Union"):
        return _of_union(arguments)
    if hasattr(note, "__metadata__"):  # Annotated
        return kind_of(origin)
    if name.endswith("Literal"):
        return _one_of({str(value): value for value in arguments})
    if origin in SEQUENCES:
        one = kind_of(arguments[0]) or TEXT
        return one._replace(many=origin, is_optional=False)
    return None


def _of_union(members: tuple[Any, ...]) -> Kind | None:
    """Of several, the first that takes the text; where a text itself would do, it stays one."""
    others = [one for one in members if one not in (NoneType, None)]
    is_optional = len(others) < len(members)
    if str in others:
        return None
    found = [kind_of(one) for one in sorted(others, key=_strictness)]
    known = [one for one in found if one is not None]
    if len(known) < len(found) or not known:
        return None
    if len(known) == 1:
        return known[0]._replace(is_optional=is_optional)

    def first_that_fits(text: str) -> Any:
        for kind in known[:-1]:
            try:
                return kind.make(text)
            except ValueError:
                continue
        return known[-1].make(text)

    return Kind(first_that_fits, " or ".join(one.must_be for one in known if one.must_be), is_optional)


def _strictness(note: Any) -> int:
    """A truth takes every text, so it is asked last; an integer would be a number, too."""
    order = (int, float, bool)
    return order.index(note) if note in order else -1


def _one_of(values: dict[str, Any]) -> Kind:
    def make(text: str) -> Any:
        if text in values:
            return values[text]
        raise ValueError

    return Kind(make, f"one of {', '.join(values)}")
