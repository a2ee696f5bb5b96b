"""Named random streams: adding a draw in one place never shifts the draws in another."""

import hashlib
import random
import secrets


class Streams:
    def __init__(self, seed: int) -> None:
        self.seed = seed

    @classmethod
    def from_entropy(cls) -> "Streams":
        """Streams that no other process repeats, for live use."""
        return cls(secrets.randbits(64))

    def stream(self, name: str) -> random.Random:
        digest = hashlib.blake2b(f"{self.seed}/{name}".encode(), digest_size=8).digest()
        return random.Random(int.from_bytes(digest))
