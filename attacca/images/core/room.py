"""Which images go when there is no room for another: of those that nothing needs the one that was used longest ago."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import msgspec


class Kept(msgspec.Struct, frozen=True):
    """A manifest or an index. `blobs`: with their sizes, what it consists of, and itself; `inner`: of an index, the
    manifests it lists, which are kept as long as it is."""

    digest: str
    used_at: float
    blobs: Mapping[str, int]
    inner: tuple[str, ...] = ()


def needed(kept: Sequence[Kept], held: Collection[str]) -> set[str]:
    """Those that may not go: held, or listed by one that is."""
    inner = {one.digest: one.inner for one in kept}
    found, left = set[str](), [digest for digest in held if digest in inner]
    while left:
        digest = left.pop()
        if digest not in found:
            found.add(digest)
            left += [one for one in inner[digest] if one in inner]
    return found


def going(kept: Sequence[Kept], held: Collection[str], excess_bytes: int) -> list[str]:
    """Until so much is free, or nobody is left who may go. What several have is free when the last of them goes."""
    stay = needed(kept, held)
    users = Counter(digest for one in kept for digest in one.blobs)
    gone: list[str] = []
    for one in sorted(kept, key=lambda one: (one.used_at, one.digest)):
        if excess_bytes <= 0:
            break
        if one.digest in stay:
            continue
        gone.append(one.digest)
        for digest, size in one.blobs.items():
            users[digest] -= 1
            excess_bytes -= 0 if users[digest] else size
    return gone
