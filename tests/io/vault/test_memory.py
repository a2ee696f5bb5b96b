from attacca.io.vault.conformance import check_vault
from attacca.io.vault.memory import MemoryVault


def test_the_vault_in_memory_does_what_a_vault_does() -> None:
    check_vault(MemoryVault)
