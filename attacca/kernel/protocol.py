"""Has what a stranger made all that it will be asked for? Found out at the start, not at the first time."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from types import FunctionType, MethodType
from typing import Final, TypeVar

from attacca.errors import BadConfig

Wanted = Mapping[str, Sequence[str] | None]  # a method and what it is called with, or an attribute
M = TypeVar("M", bound=Callable[..., object])
MARK: Final = "does_nothing"


def check(made: object, wanted: Wanted, may_have: Wanted, whose: str, hint: str) -> None:
    """
    Raises:
        BadConfig: something is missing, or cannot be called as it will be; all of it is named.
    """
    lacking = [_called(name, of) for name, of in wanted.items() if not _has(made, name, of)]
    if lacking:
        raise BadConfig(f"{whose}: {_kind(made)} lacks {', '.join(lacking)}", hint)
    there = {**wanted, **{name: of for name, of in may_have.items() if hasattr(made, name)}}
    wrong = [_called(name, of) for name, of in there.items() if of is not None and not takes(made, name, len(of))]
    if wrong:
        raise BadConfig(f"{whose}: {_kind(made)} cannot be called as {', '.join(wrong)}", hint)


def does_nothing(method: M) -> M:
    """Marks a method that need not be called. Who inherits it and writes another has that called."""
    setattr(method, MARK, True)
    return method


def heeds(made: object, name: str) -> bool:
    """Is anything done when this method is called?"""
    return not getattr(getattr(made, name), MARK, False)


def takes(made: object, name: str, count: int) -> bool:
    """Can a method be called with so many arguments? Of one that does not tell, it is believed."""
    method = getattr(made, name)
    if isinstance(method, MethodType) and isinstance(method.__func__, FunctionType):
        return _known(method.__func__, 1 + count)
    return _binds(method, count)


def _binds(method: Callable[..., object], count: int) -> bool:
    try:
        signature = inspect.signature(method)
    except ValueError:  # compiled
        return True
    except TypeError:
        return False
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


_known = cache(_binds)  # of functions of classes, which are the same for whatever is made of these


def _has(made: object, name: str, of: Sequence[str] | None) -> bool:
    return hasattr(made, name) and (of is None or callable(getattr(made, name)))


def _called(name: str, of: Sequence[str] | None) -> str:
    return name if of is None else f"{name}({', '.join(of)})"


def _kind(made: object) -> str:
    return "what it makes" if made is None else type(made).__name__
