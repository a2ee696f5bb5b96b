"""Values of any message type, drawn from a seed: every field has every kind of value that its type has."""

import functools
import random
from typing import Annotated, Any

import msgspec
from msgspec import inspect

from attacca.model.workflow import Component, WorkflowSpec

WHOLE: dict[type, Any] = {  # whose parts belong together
    WorkflowSpec: WorkflowSpec(name="w", components=(Component(name="log", resource="file-log"),)),
}
PATTERNED = {  # of strings that must look like something; each matches the patterns that it is tried for
    "names": (
        "hello",
        "a",
        "a-1",
        "z" * 63,
        "NAME",
        "_x",
        "main:handler",
        "app:make()",
        "*",
        "https://a.example:8443",
        "*/5 2 * * 1-5",
        "UTC",
        "Europe/Rome",
        "",
    ),
}
TEXTS = ("", "x", "naïve ☃ \U0001f600", "\0", "a\nb", "x" * 300)
BYTES = (b"", b"\0\xff", bytes(range(256)), b"x" * 5000)
NUMBERS = (0, 1, -1, 2**31, 2**53, 63, 128)
FLOATS = (0.0, 60.0, 1.5, -2.25, 1e300, 0.1, float("inf"))


def draw(chance: random.Random, kind: inspect.Type) -> Any:
    """A value of this type that its constraints allow."""
    match kind:
        case inspect.StructType():
            return _struct(chance, kind)
        case inspect.UnionType(types=types):
            return draw(chance, chance.choice(types))
        case inspect.VarTupleType(item_type=item):
            return tuple(draw(chance, item) for _ in range(chance.choice((0, 1, 3))))
        case inspect.TupleType(item_types=items):
            return tuple(draw(chance, item) for item in items)
        case inspect.DictType(key_type=key, value_type=value):
            return {draw(chance, key): draw(chance, value) for _ in range(chance.choice((0, 1, 3)))}
        case inspect.EnumType(cls=cls):
            return chance.choice(list(cls))
        case inspect.Metadata(type=inner):
            return draw(chance, inner)
        case _:
            return _plain(chance, kind)


def _plain(chance: random.Random, kind: inspect.Type) -> Any:
    match kind:
        case inspect.NoneType():
            return None
        case inspect.BoolType():
            return chance.random() < 0.5
        case inspect.StrType(pattern=pattern, max_length=most):
            texts = TEXTS if pattern is None else PATTERNED["names"]
            return chance.choice([text for text in texts if _fits(text, pattern, most)])
        case inspect.BytesType():
            return chance.choice(BYTES)
        case inspect.IntType():
            return chance.choice([number for number in (*NUMBERS, kind.ge, kind.le) if _within(number, kind)])
        case inspect.FloatType():
            return chance.choice([number for number in FLOATS if _within(number, kind)])
        case _:
            raise AssertionError(f"there is no value of type {kind}")


@functools.cache
def _fits(text: str, pattern: str | None, most: int | None) -> bool:
    kind = msgspec.Meta(pattern=pattern, max_length=most)
    try:
        msgspec.convert(text, Any if pattern is None and most is None else _annotated(kind))
    except msgspec.ValidationError:
        return False
    return True


def _annotated(meta: msgspec.Meta) -> Any:
    return Annotated[str, meta]


def _within(number: float | None, kind: inspect.IntType | inspect.FloatType) -> bool:
    if number is None:
        return False
    above = (kind.ge is None or number >= kind.ge) and (kind.gt is None or number > kind.gt)
    return above and (kind.le is None or number <= kind.le) and (kind.lt is None or number < kind.lt)


def _struct(chance: random.Random, kind: inspect.StructType) -> Any:
    """Fields may contradict one another: then others are drawn, and at last the default ones stay."""
    if kind.cls in WHOLE:
        return WHOLE[kind.cls]
    for _ in range(20):
        fields = {}
        for field in kind.fields:
            is_left_out = not field.required and chance.random() < 0.3
            if not is_left_out:
                fields[field.name] = draw(chance, field.type)
        try:
            return kind.cls(**fields)
        except ValueError:
            continue
    return kind.cls(**{field.name: draw(chance, field.type) for field in kind.fields if field.required})
