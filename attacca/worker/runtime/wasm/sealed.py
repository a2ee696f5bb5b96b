"""Whether what a disk gives back is what was put there: machine code is run as it is."""

import hashlib

SEAL_BYTES = 16


def seal(data: bytes | memoryview) -> bytes:
    return hashlib.blake2b(data, digest_size=SEAL_BYTES).digest()


def sealed(data: bytes) -> bytes:
    return seal(data) + data


def opened(kept: bytes) -> bytes | None:
    """None: it is not what was put there."""
    data = memoryview(kept)[SEAL_BYTES:]
    return bytes(data) if data and seal(data) == kept[:SEAL_BYTES] else None
