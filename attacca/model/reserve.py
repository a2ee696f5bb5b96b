"""How many sandboxes a function keeps whatever others need: its min_sandboxes, as far as there stays room for one more
sandbox, or the import of new code, of any function.

So nobody can starve the others, and whoever has asked for too much can always deploy a correction.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from attacca.errors import AttaccaError, TooMuchReserved
from attacca.model.function import Settings
from attacca.model.resources import KINDS, NOTHING, Resources, amount, largest, total

USUAL_MB = 128  # what a function has that says nothing: new code finds at least that


class Budget(Protocol):
    """What a worker has for sandboxes and templates, and what of it stays free; do templates live beside sandboxes?"""

    @property
    def resources(self) -> Resources: ...
    @property
    def memory_buffer_mb(self) -> int: ...
    @property
    def templates(self) -> bool: ...


class Wish(msgspec.Struct, frozen=True):
    """`count`: as its min_sandboxes, where a worker is to keep them."""

    function: str
    count: int
    resources: Resources  # of one sandbox


def wish(settings: Settings) -> Wish:
    return Wish(settings.name, settings.reserves, settings.resources)


def cost(config: Budget, count: int, resources: Resources) -> Resources:
    """Of so many sandboxes, with the template they are forked from, which lives as long as they do."""
    if not count:
        return NOTHING
    return resources * count + (resources.memory_alone() if config.templates else NOTHING)


def room(config: Budget, wishes: Iterable[Wish]) -> Resources:
    """What nobody reserves: enough for the largest function that fits at all, and for the free buffer."""
    capacity = config.resources
    usual = Resources(max(min(USUAL_MB, capacity.memory_mb // 2), config.memory_buffer_mb))
    sizes = dict.fromkeys(one.resources for one in wishes)
    return largest([usual, *(size for size in sizes if size.fits(capacity))])


def grant(config: Budget, wishes: Sequence[Wish], kept: Mapping[str, int]) -> dict[str, int]:
    """How many each gets: first what is `kept`, as long as that fits; then what is left, in the order of the wishes."""
    left = config.resources - room(config, wishes)
    granted = {one.function: 0 for one in wishes}
    wanting = [one for one in wishes if one.count]
    for one in wanting:
        count = min(one.count, kept.get(one.function, 0), _most(config, left, one.resources))
        granted[one.function] = count
        left -= cost(config, count, one.resources)
    for one in wanting:
        left += cost(config, granted[one.function], one.resources)
        granted[one.function] = min(one.count, _most(config, left, one.resources))
        left -= cost(config, granted[one.function], one.resources)
    return granted


def refuse(config: Budget, asked: Wish, others: Sequence[Wish], granted: Mapping[str, int]) -> TooMuchReserved | None:
    """Why a deployment is not taken; None: it gets all that it asks for, and nobody loses what is `granted` now."""
    after = grant(config, [asked, *others], granted)
    kept = {one.function: min(one.count, granted.get(one.function, 0)) for one in others}
    if after[asked.function] == asked.count and all(after[name] >= count for name, count in kept.items()):
        return None
    of_others = total(cost(config, kept[one.function], one.resources) for one in others)
    names = [repr(name) for name, count in kept.items() if count][:3]
    return _too_much(config, asked, of_others, names, config.resources - room(config, [asked, *others]))


def _too_much(config: Budget, asked: Wish, kept: Resources, names: list[str], free: Resources) -> TooMuchReserved:
    """`kept` for others, with these `names`, and `free` if there were none."""
    is_in_the_way = asked.count == 0 or not kept.fits(free)
    wanted = cost(config, asked.count, asked.resources)
    kind = _scarce(kept, free) if is_in_the_way else _scarce(wanted, free - kept)
    each, all_of_it = getattr(asked.resources, kind), getattr(config.resources, kind)
    others = f"{amount(kind, getattr(kept, kind))} are reserved by the min_sandboxes of other functions"
    others += f" ({', '.join(names)})" if names else ""
    if is_in_the_way:
        return TooMuchReserved(
            f"{asked.function!r} asks for {kind} = {each}, and of this worker's {amount(kind, all_of_it)} "
            f"{others}: it could not run",
            f"lower its {kind}, or the min_sandboxes of the others; or start the server with {_more(config, kind)}",
        )
    most = _most(config, free - kept, asked.resources)
    return TooMuchReserved(
        f"{asked.function!r} asks for min_sandboxes = {asked.count} of {amount(kind, each)} each, "
        f"{amount(kind, getattr(wanted, kind))}{' with their template' if config.templates else ''}; this worker has "
        f"{amount(kind, all_of_it)}, of which {others} and {amount(kind, all_of_it - getattr(free, kind))} stay free "
        f"for new code and single invocations",
        f"min_sandboxes = {most} fits; or lower {kind}, or start the server with {_more(config, kind)}",
    )


def orderable(config: Budget, wishes: Sequence[Wish], granted: Mapping[str, int], resources: Resources) -> int:
    """How many sandboxes of that size can be ordered ahead beside what is reserved."""
    reserved = total(cost(config, granted.get(one.function, 0), one.resources) for one in wishes)
    return max(0, resources.times_in(config.resources - reserved))


def refuse_order(config: Budget, function: str, count: int, most: int, resources: Resources) -> AttaccaError | None:
    if count <= most:
        return None
    kind = _scarce(resources * count, config.resources)
    each, there = amount(kind, getattr(resources, kind)), amount(kind, getattr(config.resources, kind))
    start = f"start the server with {_more(config, kind)}"
    return TooMuchReserved(
        f"count = {count}: sandboxes of {function!r} have {each} each, and beside what is reserved this "
        f"worker's {there} hold {most} of them",
        f"count = {most}, or {start}" if most else start,
    )


def _most(config: Budget, left: Resources, resources: Resources) -> int:
    template = resources.memory_alone() if config.templates else NOTHING
    return max(0, resources.times_in(left - template))


def _scarce(wanted: Resources, free: Resources) -> str:
    """The kind of which there is too little; memory, unless it is another."""
    return next((kind for kind in KINDS if getattr(wanted, kind) > getattr(free, kind)), KINDS[0])


def _more(config: Budget, kind: str) -> str:
    """More than it has."""
    name = "--memory" if kind == KINDS[0] else kind
    return f"more than {name} {getattr(config.resources, kind)}"
