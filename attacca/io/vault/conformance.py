"""The suite that every vault passes: `check_vault(make)`, where each that is made has a key of its own."""

from collections.abc import Callable

from attacca.errors import StateCorrupt
from attacca.io.vault.types import Vault

VALUES = (b"", b"x", b"s3cret\n", bytes(range(256)), b"\0" * 65_536)


def check_vault(make: Callable[[], Vault]) -> None:
    """
    Raises:
        AssertionError: the vault does not do what `types.Vault` says.
    """
    assert _is_refused(lambda: make().seal("A", b"x", is_first=False)), "a key was made where there had been one"
    vault = make()
    sealed = [vault.seal("A", value, is_first=True) for value in VALUES]
    assert [vault.unseal("A", one) for one in sealed] == list(VALUES)
    assert vault.seal("A", b"value", is_first=False) != vault.seal("A", b"value", is_first=False)
    assert b"canary" not in vault.seal("A", b"canary", is_first=False)
    for damaged in (b"", b"x" * 60, sealed[2][:-1], sealed[2] + b"x", *_warped(sealed[2])):
        assert _is_refused(lambda damaged=damaged: vault.unseal("A", damaged)), damaged  # type: ignore[misc]
    assert _is_refused(lambda: vault.unseal("B", sealed[2])), "it opened under another name"
    assert _is_refused(lambda: make().unseal("A", sealed[2])), "another vault opened it"


def _warped(sealed: bytes) -> list[bytes]:
    """With one bit turned, at every place."""
    return [sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :] for at in range(len(sealed) - 1)]


def _is_refused(work: Callable[[], object]) -> bool:
    try:
        work()
    except StateCorrupt:
        return True
    return False
