"""The network namespaces in which sandboxes live, one after another: each has a loopback only."""

import os
import select

from attacca.worker.runtime.process.zygote import linux
from attacca.worker.runtime.process.zygote.spawn_spec import NEW_NETWORK

IN_USE = "self/net/sockstat"  # below /proc
MOST_B = 1024
MOST_KEPT = 8  # of a template whose sandboxes live long, only the youngest few
NOBODY, NOTHING_WAITS = b"sockets: used 0\n", b" tw 0 "  # of any protocol; connections that TCP has yet to forget


class HeldNetworks:
    """The zygote's, in which its children are born. Whoever holds them lives in the one that was entered last, and can
    go to no other network than one of these."""

    def __init__(self, processes: int) -> None:
        """`processes`: see `SpentNetworks`."""
        self._processes = processes
        self._held: dict[int, int] = {}  # descriptors by number

    def __repr__(self) -> str:
        return f"<HeldNetworks {len(self._held)}>"

    def enter(self, word: int) -> None:
        """Live in the one of that number, in which nobody has anything. With NEW_NETWORK in it, it is made anew.

        Raises:
            OSError: there is none.
        """
        number = word & ~NEW_NETWORK
        held = self._held.pop(number, -1)
        if held >= 0:
            try:
                if not word & NEW_NETWORK:
                    linux.join(held, linux.CLONE_NEWNET)
                    if is_empty(self._processes):
                        self._held[number] = held
                        return
            finally:
                if number not in self._held:
                    os.close(held)
        linux.unshare(linux.CLONE_NEWNET)
        linux.raise_loopback()
        self._held[number] = os.open("self/ns/net", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._processes)


class SpentNetworks:
    """Those of the places of one template, kept until whoever lives there has ended."""

    def __init__(self, processes: int) -> None:
        """`processes` is a descriptor of a /proc in which this process is seen."""
        self._processes = processes
        self._kept: list[tuple[int, int]] = []

    def __repr__(self) -> str:
        return f"<SpentNetworks {len(self._kept)}>"

    def keep(self, network: int, life: int) -> None:
        """`life` is a pidfd of the process whose end is that of all that live there. Both descriptors are kept, or
        closed."""
        self._kept.append((network, life))
        if len(self._kept) > MOST_KEPT:
            self._forget(self._kept[0])

    def enter(self) -> bool:
        """Live in one that is empty; False when there is none.

        Raises:
            OSError: the kernel refused.
        """
        poll = select.poll()
        for _, life in self._kept:
            poll.register(life, select.POLLIN)
        over = {descriptor for descriptor, _ in poll.poll(0)}
        for one in [one for one in self._kept if one[1] in over]:
            linux.join(one[0], linux.CLONE_NEWNET)
            self._forget(one)
            if is_empty(self._processes):
                return True
        return False

    def _forget(self, one: tuple[int, int]) -> None:
        self._kept.remove(one)
        for descriptor in one:
            os.close(descriptor)


def is_empty(processes: int) -> bool:
    """Whether the network of this process is as one that was just made: no socket is in use, and no port.
    `processes`: see `SpentNetworks`."""
    descriptor = os.open(IN_USE, os.O_RDONLY | os.O_CLOEXEC, dir_fd=processes)
    try:
        return is_unused(os.read(descriptor, MOST_B))
    finally:
        os.close(descriptor)


def is_unused(text: bytes) -> bool:
    """`text` is of the kernel's table of sockets in use."""
    return text.startswith(NOBODY) and NOTHING_WAITS in text
