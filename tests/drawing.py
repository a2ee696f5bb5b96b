"""Records, and lists of them, from a draw or two: hypothesis spends more on a draw than most laws do on a case."""

from collections.abc import Callable, Sequence
from math import lcm, prod
from typing import Any, Generic, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


class Every(Generic[T]):
    """`make(name=value, ...)` for each combination of the choices, worked out when it is asked for."""

    def __init__(self, make: Callable[..., T], **choices: Sequence[Any]) -> None:
        self._make, self._choices = make, choices
        self._length = prod(map(len, choices.values()))

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, number: int) -> T:
        fields = {}
        for name, values in self._choices.items():
            number, place = divmod(number, len(values))
            fields[name] = values[place]
        return self._make(**fields)


class Evenly(Generic[T]):
    """All of these kinds, each as often as the others, however few are in it."""

    def __init__(self, *kinds: "Sequence[T] | Every[T]") -> None:
        self._kinds = kinds
        self._length = len(kinds) * lcm(*map(len, kinds))

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, number: int) -> T:
        number, place = divmod(number, len(self._kinds))
        return self._kinds[place][number % len(self._kinds[place])]


Choices = Sequence[T] | Every[T] | Evenly[T]


@st.composite
def one(draw: st.DrawFn, choices: Choices[T]) -> T:
    """It shrinks towards the first."""
    return choices[draw(st.integers(0, len(choices) - 1))]


@st.composite
def several(draw: st.DrawFn, choices: Choices[T], *, min_size: int = 0, max_size: int) -> list[T]:
    """A list of any of these lengths, each as likely; in one string of bytes, enough of them that none is favoured."""
    width = (len(choices) - 1).bit_length() // 8 + 2
    size = draw(st.integers(min_size, max_size)) * width
    raw = draw(st.binary(min_size=size, max_size=size))
    numbers = (int.from_bytes(raw[at : at + width]) for at in range(0, size, width))
    return [choices[number % len(choices)] for number in numbers]
