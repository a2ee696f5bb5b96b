from attacca.io.vault.conformance import check_vault
from attacca.io.vault.memory import MemoryVault


def test_the_vault_in_memory_does_what_a_vault_does() -> None:
    check_vault(MemoryVault)


def test_it_says_how_much_is_sealed() -> None:
    vault = MemoryVault()
    vault.seal("a", b"secret", is_first=True)
    assert repr(vault) == "<MemoryVault 1 sealed>"
