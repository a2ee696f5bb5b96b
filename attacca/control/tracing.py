"""The spans of a deployment: one of the whole, and one of each step, from its first word until the next one's."""

from collections.abc import AsyncGenerator, Callable
from functools import partial

from attacca.control.core.progress import Done, Progress, Refused, Step
from attacca.kernel.clock import Clock
from attacca.model.trace import Span, span_of, trace_of

Traced = Callable[[str, AsyncGenerator[Progress, None]], AsyncGenerator[Progress, None]]
REMARKS = ("log", "note")  # said within a step, not the beginning of one


def _as_it_is(_: str, progress: AsyncGenerator[Progress, None]) -> AsyncGenerator[Progress, None]:
    return progress


untraced: Traced = _as_it_is


def tracing(clock: Clock, put: Callable[[Span], None]) -> Traced:
    """Every deployment is traced: they are few, and each is somebody's wait."""
    return partial(_traced, clock, put)


async def _traced(
    clock: Clock, put: Callable[[Span], None], function: str, progress: AsyncGenerator[Progress, None]
) -> AsyncGenerator[Progress, None]:
    at, began = clock.wall(), clock.now()
    steps: list[tuple[str, float]] = [("begin", began)]
    last: Progress | None = None
    try:
        async for word in progress:
            if isinstance(word, Step) and word.name not in REMARKS and word.name != steps[-1][0]:
                steps.append((word.name, clock.now()))
            last = word
            yield word
    finally:
        await progress.aclose()
        for span in spans(function, at - began, steps, clock.now(), last):
            put(span)


def spans(
    function: str, offset_s: float, steps: list[tuple[str, float]], now: float, last: Progress | None
) -> list[Span]:
    """`offset_s` is what makes a moment of the clock one since 1970. `last`: None, if it never said how it ended."""
    began = steps[0][1]
    name = f"deploy {function} {began + offset_s:.6f}"
    trace, whole = trace_of(name), span_of(name)
    error, attributes = "it was given up", [("faas.name", function)]
    match last:
        case Done(revision=revision):
            error = ""
            attributes.append(("faas.version", str(revision.number)))
        case Refused(code=code, message=message):
            error = f"{code}: {message}"
        case _:
            pass
    found = [
        Span(
            trace=trace, span=whole, name=f"deploy {function}", is_server=True, began=began + offset_s,
            ended=now + offset_s, error=error, attributes=tuple(attributes),
        )
    ]  # fmt: skip
    ends = [at for _, at in steps[1:]] + [now]
    for number, ((step, at), end) in enumerate(zip(steps, ends, strict=True)):
        span = span_of(name, f"{number} {step}")
        found.append(Span(trace=trace, span=span, parent=whole, name=step, began=at + offset_s, ended=end + offset_s))
    return found
