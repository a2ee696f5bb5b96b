"""Modules know nodes and instances by UUIDs, which are those of `workflow/core/identities.py`; and we by names."""

import uuid

SEEN_MOST = 10_000  # addresses that are known by their ids
SPACE = uuid.UUID("0a41a31d-a4c0-433d-8067-0beb99b45d36")
LENGTH = 36


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
            found = _made("node", node), _made("instance", instance)
            if len(self._ids) >= SEEN_MOST:
                oldest = next(iter(self._ids))
                del self._addresses[self._ids.pop(oldest)]
            self._ids[address], self._addresses[found] = found, address
        return found

    def address(self, node: bytes, instance: bytes) -> str | None:
        return self._addresses.get((node, instance))


def _made(kind: str, name: str) -> bytes:
    if len(name) == LENGTH:
        try:
            return uuid.UUID(name).bytes
        except ValueError:
            pass
    return uuid.uuid5(SPACE, f"{kind}/{name}").bytes
