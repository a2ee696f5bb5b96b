"""Which secrets there are, by name; their values are nobody's business here."""

from collections.abc import Sequence

from attacca.errors import NotFound, SecretInUse, SecretMissing
from attacca.model.function import Settings

SECRETS = "secrets/"  # before their names, in the store


def missing(names: dict[str, None], settings: Settings) -> SecretMissing | None:
    """Why a function that asks for them could not start."""
    for name in settings.secrets:
        if name not in names:
            return not_set(name)
    return None


def not_set(name: str) -> SecretMissing:
    return SecretMissing(f"the secret {name} is not set", f"attacca secret set {name}")


def unknown(name: str) -> NotFound:
    return NotFound(f"there is no secret {name[:80]!r}", "attacca secret list shows their names")


def in_use(name: str, users: Sequence[str]) -> SecretInUse:
    return SecretInUse(
        f"{name} is asked for by {', '.join(users[:5])}{' and others' * (len(users) > 5)}",
        f"deploy without it first; or attacca secret delete {name} --force, and they start no more",
    )
