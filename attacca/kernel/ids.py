"""Names for things that live briefly: unique across restarts, cheap, and readable in a log."""

from attacca.kernel.chance import Chance


class Ids:
    """A random 48-bit prefix from a stream, then a counter: `9f3a01c2d4e5-1`, `9f3a01c2d4e5-2`, ..."""

    def __init__(self, chance: Chance, kind: str = "") -> None:
        self._prefix = f"{kind}{chance.getrandbits(48):012x}-"
        self._count = 0

    def __repr__(self) -> str:
        return f"<Ids {self._count} given, as {self._prefix}>"

    def next(self) -> str:
        self._count += 1
        return f"{self._prefix}{self._count:x}"

    def ahead(self, count: int) -> list[str]:
        """What `next` will give, so many times."""
        return [f"{self._prefix}{number:x}" for number in range(self._count + 1, self._count + 1 + count)]
