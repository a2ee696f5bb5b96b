"""Which gateway minds the schedules, where each has a journal of its own: whose journal has a lease in the store.

Beside the lease lies what it has told of the due times that are settled. Whoever has it next begins there; what was due
until it took over, and is not told of, counts as missed: the one before may have run it, and not have come to tell.
"""

import msgspec

from attacca.model.async_call import Mark
from attacca.model.journals import AskMinding


class Minder(msgspec.Struct, frozen=True):
    """`taken_at`: when the journal took over from another, in seconds since 1970; 0: from nobody."""

    journal: str
    taken_at: float = 0.0
    marks: tuple[Mark, ...] = ()


def minded(before: Minder | None, asked: AskMinding, fence: int, wall: float) -> Minder:
    """Who asks has the lease of that fence. What it says is all there is to say, if it knew of this lease before."""
    if before is None:
        return Minder(asked.journal, 0.0, asked.marks)
    is_new = before.journal != asked.journal
    known = {mark.name: mark for mark in before.marks}
    told = {mark.name: later(known.get(mark.name), mark) for mark in asked.marks}
    is_whole = bool(told) and asked.fence == fence and not is_new
    marks = told if is_whole else known | told
    return Minder(asked.journal, wall if is_new else before.taken_at, tuple(marks[name] for name in sorted(marks)))


def later(one: Mark | None, other: Mark) -> Mark:
    """Of two of one schedule."""
    if one is None:
        return other
    return Mark(other.name, max(one.due, other.due), max(one.missed, other.missed))
