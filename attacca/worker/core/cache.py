"""What a worker keeps of code and bundles: up to a size, those that were used last, and those that are in use."""

from collections.abc import Collection


class CacheBook:
    """By digest. What is in use stays, also beyond the limit."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.sizes: dict[str, int] = {}  # the one that was used last at the end

    def __repr__(self) -> str:
        return f"<CacheBook {len(self.sizes)} entries, {self.used_bytes} of {self.limit_bytes} bytes>"

    @property
    def used_bytes(self) -> int:
        return sum(self.sizes.values())

    def add(self, digest: str, size: int) -> None:
        self.sizes.pop(digest, None)
        self.sizes[digest] = size

    def use(self, digest: str) -> None:
        self.sizes[digest] = self.sizes.pop(digest)

    def drop(self, held: Collection[str]) -> list[str]:
        """Those that go, so that the others fit; they are not in the book any more."""
        going, over = [], self.used_bytes - self.limit_bytes
        for digest in list(self.sizes):
            if over <= 0:
                break
            if digest not in held:
                over -= self.sizes.pop(digest)
                going.append(digest)
        return going
