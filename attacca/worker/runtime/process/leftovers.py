"""Cgroups that nobody of ours lives in any more, until they are gone."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Collection

from attacca.worker.host.cgroups import Group

FIRST_S, MOST_S = 0.05, 2.0  # between looks at groups that something still lives in


class Leftovers:
    """Keeps or removes them, and ends who still lives in one: a process that a template forked behind our back, say."""

    def __init__(
        self,
        ours: Callable[[], Collection[int]],
        kill: Callable[[int, int], None] = os.kill,
        keep: Callable[[Group], bool] = lambda _: False,
    ) -> None:
        """`ours` are processes that may be found in one that they are just about to leave: those that fork others.
        `keep` takes a group, if it can be used again."""
        self._ours, self._kill, self._keep = ours, kill, keep
        self._groups: list[Group] = []
        self._timer: asyncio.TimerHandle | None = None
        self._wait_s = FIRST_S

    def __repr__(self) -> str:
        return f"<Leftovers {len(self._groups)}>"

    def add(self, group: Group) -> None:
        self._groups.append(group)
        self._wait_s = FIRST_S
        self._look()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self.close()
        self._groups = [group for group in self._groups if not (self._keep(group) or group.is_removed())]
        ours = self._ours() if self._groups else ()
        for group in self._groups:
            for pid in group.processes():
                if pid and pid not in ours:  # 0 is somebody whom we cannot see, and would be all of us
                    with contextlib.suppress(OSError):
                        self._kill(pid, signal.SIGKILL)
        if self._groups:
            self._timer = asyncio.get_running_loop().call_later(self._wait_s, self._look)
            self._wait_s = min(self._wait_s * 2, MOST_S)
