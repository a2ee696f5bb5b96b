"""What the worker's own process counts for beside the sandboxes that it serves.

A kernel that shares out processors by weight lets whoever wakes up wait the longer, the less it counts beside who runs.
Among sandboxes that compute, a server that counted for one program would come late to every hand-over: to take a
request, to pass it on, to pass on the answer.
"""

import contextlib
import os

from attacca.worker.host.cgroups import GroupsV1
from attacca.worker.host.hierarchy import HOME, UNIFIED, here, name_of_ours, try_to_write, write
from attacca.worker.host.processors import shares, weight

OURSELVES = "0"  # to the kernel: whoever writes it


class Seat:
    """The group of the worker's own process, to be weighed as much as all its sandboxes together."""

    def __init__(self, group: str, taken_from: str = "") -> None:
        """The process goes back to where it was `taken_from`, which is empty if it was in `group` before."""
        self._group, self._back = group, taken_from

    def __repr__(self) -> str:
        return f"<Seat {self._group}>"

    @property
    def own(self) -> str:
        """The group, if it was made for the process; or empty."""
        return self._group if self._back else ""

    def weigh(self, cpus: float) -> None:
        """As how many processors' worth the process counts from now on."""
        for name, value in (("cpu.shares", shares(cpus)), ("cpu.weight", weight(cpus))):
            try_to_write(f"{self._group}/{name}", str(value))

    def leave(self) -> None:
        """Be where we were. What still lives in the group leaves it behind, to be swept when that has ended."""
        if self._back:
            try_to_write(f"{self._back}/cgroup.procs", OURSELVES)
            with contextlib.suppress(OSError):
                os.rmdir(self._group)


def take_seat(version: str) -> Seat | None:
    """A group for this process beside those of its sandboxes, which are of this version of cgroups.

    None where it lives in one that somebody else has chosen for it: whoever did that has decided what it counts for.
    """
    found = here()
    if version != GroupsV1.version:
        own = found[UNIFIED].own
        return Seat(own) if os.path.basename(own) == HOME else None
    place = found.get("cpu")
    if place is None or place.own != place.top:
        return None
    group = f"{place.top}/{name_of_ours()}"
    try:
        os.mkdir(group)
    except OSError:
        return None
    seat = Seat(group, place.own)
    try:
        write(f"{group}/cgroup.procs", OURSELVES)
    except OSError:  # a thread of ours has a real-time policy, which such a group has no time for
        seat.leave()
        return None
    return seat
