"""No platform's dialect at all: a function with named parameters, and a generator that is streamed."""

from collections.abc import Iterator


def countdown(start: int = 3, step: int | None = None) -> Iterator[str]:
    for number in range(start, 0, -(step or 1)):
        yield f"{number}\n"
