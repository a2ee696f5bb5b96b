"""What the worker's sandboxes count for, all together, beside the other programs of the machine."""

import math
from collections.abc import Callable


class Weight:
    """As many processors' worth as the sandboxes would have, were each a program by itself; never more than there are.

    All of them live in one group, which by itself would count as much as a single program. `tell` is told in powers of
    two, as the kernel takes its time to change a group's weight.
    """

    def __init__(self, processors: float) -> None:
        """Of the machine."""
        self._processors = processors
        self.tell: Callable[[float], None] | None = None
        self._cpus = self._told = 0.0

    def __repr__(self) -> str:
        return f"<Weight {self._cpus:g} processors, told {self._told:g}>"

    def change(self, cpus: float) -> None:
        """A sandbox of so many processors is there; a negative number: is gone."""
        self._cpus += cpus
        wanted = 2.0 ** math.ceil(math.log2(max(min(self._cpus, self._processors), 1.0)))
        if wanted != self._told and self.tell is not None:
            self._told = wanted
            self.tell(wanted)
