"""How many sandboxes a function keeps whatever others need: its min_sandboxes, as far as there stays room for one more
sandbox, or the import of new code, of any function.

So nobody can starve the others, and whoever has asked for too much can always deploy a correction.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from attacca.errors import AttaccaError, TooMuchReserved
from attacca.model.function import Settings

USUAL_MB = 128  # what a function has that says nothing: new code finds at least that


class Budget(Protocol):
    """What a worker has for sandboxes and templates, and what of it stays free; do templates live beside sandboxes?"""

    @property
    def memory_mb(self) -> int: ...
    @property
    def memory_buffer_mb(self) -> int: ...
    @property
    def templates(self) -> bool: ...


class Wish(msgspec.Struct, frozen=True):
    """`count`: as its min_sandboxes."""

    function: str
    count: int
    memory_mb: int


def wish(settings: Settings) -> Wish:
    return Wish(settings.name, settings.min_sandboxes, settings.memory_mb)


def cost_mb(config: Budget, count: int, memory_mb: int) -> int:
    """Of so many sandboxes, with the template they are forked from, which lives as long as they do."""
    return (count + config.templates) * memory_mb if count else 0


def room_mb(config: Budget, wishes: Iterable[Wish]) -> int:
    """What nobody reserves: enough for the largest function that fits at all, and for the free buffer."""
    largest_mb = max((one.memory_mb for one in wishes if one.memory_mb <= config.memory_mb), default=0)
    return max(largest_mb, min(USUAL_MB, config.memory_mb // 2), config.memory_buffer_mb)


def grant(config: Budget, wishes: Sequence[Wish], kept: Mapping[str, int]) -> dict[str, int]:
    """How many each gets: first what is `kept`, as long as that fits; then what is left, in the order of the wishes."""
    left_mb = config.memory_mb - room_mb(config, wishes)
    granted = {}
    for one in wishes:
        count = min(one.count, kept.get(one.function, 0), _most(config, left_mb, one.memory_mb))
        granted[one.function] = count
        left_mb -= cost_mb(config, count, one.memory_mb)
    for one in wishes:
        left_mb += cost_mb(config, granted[one.function], one.memory_mb)
        granted[one.function] = min(one.count, _most(config, left_mb, one.memory_mb))
        left_mb -= cost_mb(config, granted[one.function], one.memory_mb)
    return granted


def refuse(config: Budget, asked: Wish, others: Sequence[Wish], granted: Mapping[str, int]) -> TooMuchReserved | None:
    """Why a deployment is not taken; None: it gets all that it asks for, and nobody loses what is `granted` now."""
    after = grant(config, [asked, *others], granted)
    kept = {one.function: min(one.count, granted.get(one.function, 0)) for one in others}
    if after[asked.function] == asked.count and all(after[name] >= count for name, count in kept.items()):
        return None
    kept_mb = sum(cost_mb(config, kept[one.function], one.memory_mb) for one in others)
    free_mb = config.memory_mb - room_mb(config, [asked, *others])
    names = ", ".join([repr(name) for name, count in kept.items() if count][:3])
    of_others = f"{kept_mb} MB are reserved by the min_sandboxes of other functions" + (f" ({names})" if names else "")
    if asked.count == 0 or kept_mb > free_mb:
        return TooMuchReserved(
            f"{asked.function!r} asks for memory_mb = {asked.memory_mb}, and of this worker's {config.memory_mb} MB "
            f"{of_others}: it could not run",
            f"lower its memory_mb, or the min_sandboxes of the others; or start the server with {_more(config)}",
        )
    wanted_mb = cost_mb(config, asked.count, asked.memory_mb)
    most = _most(config, free_mb - kept_mb, asked.memory_mb)
    return TooMuchReserved(
        f"{asked.function!r} asks for min_sandboxes = {asked.count} of {asked.memory_mb} MB each, {wanted_mb} MB"
        f"{' with their template' if config.templates else ''}; this worker has {config.memory_mb} MB, of which "
        f"{of_others} and {config.memory_mb - free_mb} MB stay free for new code and single invocations",
        f"min_sandboxes = {most} fits; or lower memory_mb, or start the server with {_more(config)}",
    )


def orderable(config: Budget, wishes: Sequence[Wish], granted: Mapping[str, int], memory_mb: int) -> int:
    """How many sandboxes of that size can be ordered ahead beside what is reserved."""
    reserved_mb = sum(cost_mb(config, granted.get(one.function, 0), one.memory_mb) for one in wishes)
    return max(0, (config.memory_mb - reserved_mb) // memory_mb)


def refuse_order(config: Budget, function: str, count: int, most: int, memory_mb: int) -> AttaccaError | None:
    if count <= most:
        return None
    start = f"start the server with {_more(config)}"
    return TooMuchReserved(
        f"count = {count}: sandboxes of {function!r} have {memory_mb} MB each, and beside what is reserved this "
        f"worker's {config.memory_mb} MB hold {most} of them",
        f"count = {most}, or {start}" if most else start,
    )


def _most(config: Budget, left_mb: int, memory_mb: int) -> int:
    return max(0, left_mb // memory_mb - config.templates)


def _more(config: Budget) -> str:
    return f"more than --memory {config.memory_mb}"
