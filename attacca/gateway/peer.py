"""Which user owns the other end of a connection from this machine, as the kernel's socket tables tell it."""

import ipaddress
import sys
from pathlib import Path

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
ESTABLISHED = "01"
NOBODYS = "0"  # the inode of a socket that no process holds any more; its uid says nothing

Address = tuple[str, int]


def spelled(address: Address, *, as_v6: bool) -> str:
    """As the table spells it: the address in words of 32 bits in the machine's order, then the port."""
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address[0].partition("%")[0])
    if isinstance(ip, ipaddress.IPv4Address) and as_v6:
        ip = ipaddress.IPv6Address(b"\0" * 10 + b"\xff\xff" + ip.packed)
    raw = ip.packed
    words = (int.from_bytes(raw[at : at + 4], sys.byteorder) for at in range(0, len(raw), 4))
    return "".join(f"{word:08X}" for word in words) + f":{address[1]:04X}"


def owner(table: str, theirs: str, ours: str) -> int | None:
    """The uid of the socket that is bound to `theirs` and connected to `ours`; None when the table lacks it.

    Only an established socket that some process still holds counts: the table shows all others as root's.
    """
    for line in table.splitlines():
        if theirs not in line:
            continue
        fields = line.split()
        if len(fields) < 10 or fields[1] != theirs or fields[2] != ours:
            continue
        if fields[3] != ESTABLISHED or fields[9] == NOBODYS or not fields[7].isdecimal():
            return None
        return int(fields[7])
    return None


def uid(theirs: Address, ours: Address, tables: tuple[Path, Path] = TABLES) -> int | None:
    """Who is at the other end; None when it is not of this machine, or cannot be told."""
    try:
        is_v4 = ipaddress.ip_address(theirs[0].partition("%")[0]).version == 4
        for as_v6, path in enumerate(tables):
            if is_v4 or as_v6:
                found = owner(path.read_text(), spelled(theirs, as_v6=bool(as_v6)), spelled(ours, as_v6=bool(as_v6)))
                if found is not None:
                    return found
    except (OSError, ValueError):
        return None
    return None
