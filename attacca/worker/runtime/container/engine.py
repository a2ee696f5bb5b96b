"""What starts containers for the runtime: a keeper of ours with crun or runc, or a daemon."""

from typing import Any, Protocol

import msgspec


class Word(msgspec.Struct, frozen=True):
    """What an engine says. A keeper's is ours, and still decoded as what it may be."""

    created: str = ""  # it was to wait, and does
    started: str = ""
    failed: str = ""
    ended: str = ""
    alive: str = ""  # it was looked for, and is not about to end
    root: str = ""  # its root was asked for, and is `descriptor`, which is the hearer's; -1: it is gone
    descriptor: int = -1
    why: str = ""
    status: int = 0  # as wait() has it
    pid: int = 0  # of its first process, once it has started; 0: it is not known
    oom: bool = False


class Engine(Protocol):
    """Orders return at once; what comes of them is heard later. All that it runs ends with the worker."""

    @property
    def name(self) -> str: ...

    @property
    def makes_networks(self) -> bool:
        """A container's network is there when it has started, and not before."""

    @property
    def can_wait(self) -> bool:
        """A container can be created, and begin later."""

    async def open(self) -> None:
        """
        Raises:
            IsolationMissing: the machine, or this user, cannot have it.
        """

    async def close(self) -> None:
        """When this returns, it is gone with all that it ran."""

    def start(
        self,
        name: str,
        spec: dict[str, Any],
        lower: str,
        files: dict[str, str],
        fds: list[int],
        *,
        waits: bool = False,
    ) -> None:
        """`fds`: where its output goes, and its network namespace, unless it has the machine's or gets one of the
        engine's. They stay the caller's. `waits`: it begins when it is told to `go`, of an engine that can.

        Raises:
            OSError: it cannot be told.
        """

    def say(self, do: str, name: str) -> None:
        """Have it `go`, `kill`, `pause`, `resume` it, `look` whether it lives, or open its `root`."""
