"""A vault that remembers what it has sealed, until the process ends: the twin of the real one, for tests."""

from attacca.errors import StateCorrupt


class MemoryVault:
    def __init__(self) -> None:
        self._sealed: dict[bytes, tuple[str, bytes]] = {}

    def __repr__(self) -> str:
        return f"<MemoryVault {len(self._sealed)} sealed>"

    def seal(self, name: str, value: bytes, *, is_first: bool) -> bytes:
        if not (self._sealed or is_first):
            raise StateCorrupt("what was sealed is forgotten", "set it again: attacca secret set NAME")
        sealed = b"sealed-%d" % len(self._sealed)
        self._sealed[sealed] = name, value
        return sealed

    def unseal(self, name: str, sealed: bytes) -> bytes:
        of, value = self._sealed.get(sealed, ("", b""))
        if of != name:
            raise StateCorrupt(f"the secret {name} cannot be opened", f"set it again: attacca secret set {name}")
        return value
