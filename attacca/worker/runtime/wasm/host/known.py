"""Modules know nodes and instances by ids of 16 bytes each, and we by texts."""

import uuid

SEEN_MOST = 10_000  # addresses that are known by their ids
NAMESPACE = uuid.UUID("6b0f4a3c-5f0e-5c57-9a7c-2f3f0d1d9b11")


class Known:
    """Addresses, which are texts, by the 32 bytes that modules have for them."""

    def __init__(self) -> None:
        self._ids: dict[str, tuple[bytes, bytes]] = {}
        self._addresses: dict[tuple[bytes, bytes], str] = {}

    def __repr__(self) -> str:
        return f"<Known {len(self._ids)}>"

    def ids(self, address: str) -> tuple[bytes, bytes]:
        """Of its node, and of itself."""
        found = self._ids.get(address)
        if found is None:
            instance, _, node = address.partition("@")
            found = uuid.uuid5(NAMESPACE, node).bytes, uuid.uuid5(NAMESPACE, instance).bytes
            if len(self._ids) >= SEEN_MOST:
                oldest = next(iter(self._ids))
                del self._addresses[self._ids.pop(oldest)]
            self._ids[address], self._addresses[found] = found, address
        return found

    def address(self, node: bytes, instance: bytes) -> str | None:
        return self._addresses.get((node, instance))
