"""The cgroups of one template and of what is forked from it.

family/          what all of them may have together: so much for the template, and so much for each sandbox alive
  0/             where the template lives, and what its import may have left running
  minder/        who minds it, and the first processes of its sandboxes: ours, without limits of their own
  1/ 2/ ...      one for each birth, which the template waits in, with its revision's limits
"""

import itertools
from typing import NamedTuple

from attacca.worker.host.cgroups import Group

SPARE = 2  # the template itself, and the group that it waits in
OURS_MB, EACH_MB = 32, 2  # for the minder, and for the first process of each sandbox
OURS, EACH = 8, 2  # processes, likewise


class Limits(NamedTuple):
    memory_mb: int
    processes: int
    cpus: float | None

    @property
    def weight(self) -> float:
        """As how many processors it counts when they are short."""
        return self.cpus or 1.0


def ours(alive: int) -> Limits:
    """What who minds a template with so many sandboxes, and the first processes of their places, may have."""
    many = alive + SPARE
    return Limits(many * EACH_MB + OURS_MB, many * EACH + OURS, None)


class Family:
    def __init__(self, group: Group, limits: Limits) -> None:
        """`group` is the one that the template was born in."""
        self._group, self._limits = group, limits
        self._count = itertools.count(1)
        self.alive = 0  # sandboxes

    def __repr__(self) -> str:
        return f"<Family of {self.alive} in {self._group}>"

    def divide(self, template: int, minders: list[int]) -> None:
        """Before anybody else lives there: the template, and those processes that are ours. For another thread: it
        takes the kernel a while.

        Raises:
            OSError: the tree, or one of them, is gone.
        """
        self.bound()
        minder = self._group.inner("minder")
        for pid in minders:
            minder.add(pid)
        self._group.divide([template], *self._limits)

    def make(self) -> Group:
        """The group of the next birth, with its limits. For another thread: it takes the kernel a while.

        Raises:
            OSError: the tree is gone.
        """
        self.bound()
        group = self._group.inner(str(next(self._count)))
        group.limit(*self._limits)
        return group

    def bound(self) -> None:
        """What they may have together follows from how many sandboxes there are."""
        many, own = self.alive + SPARE, ours(self.alive)
        memory_mb = many * self._limits.memory_mb + own.memory_mb
        processes = many * self._limits.processes + own.processes
        self._group.resize(
            memory_mb, processes, (self.alive + 1) * self._limits.weight
        )  # the sandboxes, and one to come
