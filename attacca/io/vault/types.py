"""What seals secrets, and opens them again."""

from typing import Protocol


class Vault(Protocol):
    """Blocks for as long as it takes to read a small file, the first time, and for microseconds then."""

    def seal(self, name: str, value: bytes, *, is_first: bool) -> bytes:
        """What may lie on a disk in the place of `value`, and opens under no other name; never the same twice.

        `is_first`: nothing is sealed yet, so that a key may be made where there is none.

        Raises:
            StateCorrupt: the key is gone, or is none.
            StateUnavailable: it cannot be read or made now.
        """

    def unseal(self, name: str, sealed: bytes) -> bytes:
        """
        Raises:
            StateCorrupt: the key is gone or another, or this was sealed under another name, or is damaged.
            StateUnavailable: the key cannot be read now.
        """
