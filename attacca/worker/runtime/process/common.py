"""What the process runtimes of one worker share: the users that sandboxes are, cgroups, and how much all count."""

import os
from collections.abc import Mapping

from attacca.worker.host.cgroups import Group, Groups, open_groups
from attacca.worker.host.hierarchy import sweep
from attacca.worker.host.nat.options import NatOptions
from attacca.worker.host.nat.outside import Nat
from attacca.worker.host.seat import Seat, take_seat
from attacca.worker.host.uses import Living
from attacca.worker.runtime.process.child_process import ChildProcess
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.users import Users
from attacca.worker.runtime.process.weight import Weight
from attacca.worker.runtime.process.zygote_manager import USERS


class Common:
    """Opened by the first of them, closed by the last. `memory_mb`: see `ProcessRuntime`."""

    def __init__(self, options: ProcessOptions, memory_mb: int | None, nat: Nat | None = None) -> None:
        self.nat = nat or Nat(NatOptions())
        self._options, self._memory_mb = options, memory_mb
        self.users = Users(USERS if os.geteuid() == 0 and options.isolation != "none" else 1)
        self.weight = Weight(os.cpu_count() or 1)
        self.groups: Groups | None = None
        self._seat: Seat | None = None
        self._holders = 0
        self._books: list[Mapping[str, Living]] = []

    def __repr__(self) -> str:
        return f"<Common to {self._holders}, {self.users}>"

    def open(self) -> None:
        self._holders += 1
        if self._holders > 1 or not self._options.use_cgroups:
            return
        sweep()
        self.groups = open_groups()
        if self.groups is not None:
            self._seat = take_seat(self.groups.version)
            self.weight.tell = self._weigh
            if self._memory_mb is not None:
                self.groups.bound(self._memory_mb)

    def close(self) -> None:
        self._holders -= 1
        if self._holders == 0 and self.groups is not None:
            self.groups.close()

    def keep_group(self, group: Group) -> bool:
        """See `Groups.keep`."""
        return self.groups is not None and self.groups.keep(group)

    def rise(self) -> None:
        """Leave the seat: whoever removes it after us waits until nobody is there."""
        if self._seat is not None:
            self._seat.leave()

    def book(self) -> dict[str, ChildProcess]:
        """A new one, for one of them to keep its processes in."""
        book: dict[str, ChildProcess] = {}
        self._books.append(book)
        return book

    def keep(self, book: Mapping[str, Living]) -> None:
        """Of a runtime that has nothing else in common with them."""
        self._books.append(book)

    def processes(self) -> dict[str, Living]:
        """Of all of them, by sandbox or template."""
        return {name: process for book in self._books for name, process in book.items()}

    @property
    def seat(self) -> str:
        """Where the worker lives, if that is to be removed after it; or empty."""
        return "" if self._seat is None else self._seat.own

    def _weigh(self, cpus: float) -> None:
        """Them, and ourselves as much as all of them: who serves them is to have a turn when they ask for it."""
        assert self.groups is not None
        self.groups.weigh(cpus)
        if self._seat is not None:
            self._seat.weigh(cpus)
