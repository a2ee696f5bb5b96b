"""Which worker of this machine has which addresses: who has one holds a lock, which the kernel lets go of with it."""

import contextlib
import fcntl
import os
from pathlib import Path

from attacca.errors import IsolationMissing
from attacca.worker.host.nat import rules
from attacca.worker.host.nat.ground import Ground
from attacca.worker.host.netlink import Netlink, links
from attacca.worker.host.nftables import Nftables

PLACE = Path("/run/attacca-nat")
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
BLOCKS_MOST = 64


class Claim:
    """A block of addresses of this network namespace."""

    def __init__(self, block: int, descriptor: int, path: Path) -> None:
        self.block, self._descriptor, self._path = block, descriptor, path

    def __repr__(self) -> str:
        return f"<Claim {self.block}>"

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._path.unlink()
            self._path.parent.rmdir()  # unless somebody else is there
        os.close(self._descriptor)


def claim(block: int) -> Claim | None:
    """None: somebody else has it.

    Raises:
        OSError: there is no place for the lock.
    """
    path = PLACE / f"{os.stat('/proc/thread-self/ns/net').st_ino}-{block}"
    while True:
        PLACE.mkdir(mode=0o700, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except FileNotFoundError:
            continue  # who was the last there has just removed it
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_ino == os.fstat(descriptor).st_ino:  # else its last holder has just removed it
                    return Claim(block, descriptor, path)
        except BlockingIOError:
            os.close(descriptor)
            return None
        os.close(descriptor)


def first_free(blocks: int) -> Claim:
    """
    Raises:
        IsolationMissing: all are taken.
    """
    for block in range(blocks):
        if (found := claim(block)) is not None:
            return found
    hint = "attacca worker clean, if they run no longer; or give nat.addresses a larger network"
    raise IsolationMissing(f"{blocks} workers of this machine have all addresses for sandboxes", hint)


class Claimed(Ground):
    """A worker's, on a machine where others may have theirs: with a block of addresses for as long as it is open.

    Raises:
        IsolationMissing: all are taken, or nftables is not here.
        OSError, Refused: what was left by others cannot be removed.
    """

    def __init__(self, blocks: int) -> None:
        super().__init__()
        try:
            sweep(self.nftables, self.netlink)
            self._claim = first_free(blocks)
        except BaseException:
            super().close()
            raise

    def __repr__(self) -> str:
        return f"<Claimed {self._claim}>"

    @property
    def block(self) -> int:
        return self._claim.block

    def close(self) -> None:
        """
        Raises:
            OSError, Refused: the machine goes on to pass packets on.
        """
        try:
            close_forwarding(self.nftables)
        finally:
            self._claim.close()
            super().close()


def tables(nftables: Nftables) -> list[str]:
    """Those of all workers in this network namespace, and their guard."""
    told = [one["table"] for one in nftables.tell([{"list": {"tables": None}}]) if "table" in one]
    names = [one["name"] for one in told if one["family"] == rules.FAMILY]
    return [name for name in names if name == rules.GUARD or _block(name) is not None]


def _block(table: str) -> int | None:
    number = table.removeprefix(rules.PREFIX)
    is_ours = table.startswith(rules.PREFIX) and number.isdecimal() and int(number) < BLOCKS_MOST
    return int(number) if is_ours else None


def open_forwarding(nftables: Nftables) -> None:
    """This machine passes packets on: if it did not before, for sandboxes only.

    Raises:
        OSError, Refused: it does not.
    """
    if FORWARDING.read_text().strip() == "0":
        if rules.GUARD not in tables(nftables):
            nftables.tell(rules.guard([name for name in links() if not name.startswith(rules.LINKS)]))
        FORWARDING.write_text("1")


def close_forwarding(nftables: Nftables) -> None:
    """As it was before there was a sandbox, if this was the last worker that has any."""
    if tables(nftables) == [rules.GUARD]:
        FORWARDING.write_text("0")
        nftables.tell([rules.removal(rules.GUARD)])


def sweep(nftables: Nftables, netlink: Netlink) -> int:
    """Remove what workers that no longer run have left. Returns of how many.

    Raises:
        OSError, Refused: it cannot be removed.
    """
    removed = 0
    for name in tables(nftables):
        block = _block(name)
        found = claim(block) if block is not None else None
        if found is None:
            continue
        with contextlib.closing(found):
            for link in links():
                if link.startswith(rules.links_of(found.block)):
                    netlink.remove(link)
            nftables.tell([rules.removal(name)])
            removed += 1
    close_forwarding(nftables)
    return removed


def clean() -> int:
    """Of this machine; 0 too where there cannot be any."""
    if os.geteuid() != 0:
        return 0
    try:
        nftables = Nftables()
    except IsolationMissing:
        return 0
    with contextlib.closing(nftables), Netlink() as netlink:
        return sweep(nftables, netlink)
