"""Machines that were restored before anybody wanted one: they stand still, and have had no invocation.

a template is ready ──▶ restored, told time and seed ──▶ its agent is ready: stopped ──▶ taken ──▶ SandboxReady
                           ▲                                                              │ told the time anew
                           └──────────────────── another one ◀────────────────────────────┘
"""

from collections.abc import Callable

from attacca.model.function import Revision
from attacca.worker.runtime.microvm.housed import Housed
from attacca.worker.runtime.microvm.options import MicroVmOptions


class Spares:
    """`make` has one restored from a template."""

    def __init__(self, options: MicroVmOptions, make: Callable[[str, Housed], Housed]) -> None:
        self._most, self._mb, self._make = options.pool, options.pool_mb, make
        self._of: dict[str, list[Housed]] = {}  # by template, the oldest first
        self._held_mb = self._count = 0

    def __repr__(self) -> str:
        return f"<Spares {sum(map(len, self._of.values()))} machines of {self._held_mb} MB>"

    def fill(self, template: Housed) -> None:
        """As many as there are to be, as far as memory goes. One that ended by itself is made anew with the next that
        is taken."""
        of = self._of.setdefault(template.name, []) if self._most else []
        size_mb = _size_mb(template.revision)
        while len(of) < self._most and self._held_mb + size_mb <= self._mb and not template.is_doomed:
            self._count += 1
            of.append(self._make(f"{template.name}-spare-{self._count}", template))
            self._held_mb += size_mb

    def take(self, template: str) -> Housed | None:
        """One that is there, or on its way; it is the taker's from now on."""
        for one in list(self._of.get(template, ())):
            self.forget(one)
            if not one.is_doomed:
                return one
        return None

    def forget(self, one: Housed) -> None:
        for of in self._of.values():
            if one in of:
                of.remove(one)
                self._held_mb -= _size_mb(one.revision)

    def drop(self, template: str) -> None:
        """It is dropped, and so are they."""
        for one in list(self._of.pop(template, ())):
            self._held_mb -= _size_mb(one.revision)
            one.kill("its template was dropped")


def _size_mb(revision: Revision) -> int:
    return revision.settings.resources.memory_mb
