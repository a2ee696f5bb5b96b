"""The secrets in the store: sealed as they lie there, opened one by one when a sandbox is to have them."""

import logging
import math

import msgspec

from attacca.control.core.secrets import SECRETS, not_set, unknown
from attacca.errors import BadFunction, BadRequest, PayloadTooLarge, StateCorrupt
from attacca.io.store.types import Store
from attacca.io.vault.types import Vault
from attacca.kernel.clock import Clock
from attacca.model.function import SECRET_KB, SECRET_NAME, SECRET_NAMES, SecretAs, Settings

LOG = logging.getLogger("attacca.control")
MOST = 1000


class Secret(msgspec.Struct, frozen=True):
    """As it lies in the store. `sealed` is what the vault made of the value."""

    name: str
    set_at: float  # seconds since 1970
    sealed: bytes


class Secrets:
    """Known by heart as they are sealed, so that a sandbox does not wait for the disk. Nothing here holds a value."""

    def __init__(self, store: Store, vault: Vault, clock: Clock) -> None:
        self._store, self._vault, self._clock = store, vault, clock
        self._known: dict[str, Secret] = {}

    def __repr__(self) -> str:
        return f"<Secrets {len(self._known)} set>"

    async def open(self) -> None:
        """One that cannot be read is left as it is, and counts as not set: most functions have none."""
        for entry in await self._store.scan(SECRETS):
            try:
                secret = decode(entry.key, entry.value)
            except StateCorrupt as error:
                LOG.warning("%s; %s", error.message, error.hint)
            else:
                self._known[secret.name] = secret

    def tell_sealed(self) -> None:
        """A control that may have to lead, and cannot open what it would have to give, says so before it does."""
        for secret in self.all()[:1]:
            try:
                self.value(secret.name)
            except StateCorrupt as error:
                LOG.warning("functions that ask for secrets cannot start while this control leads: %s", error.message)

    def all(self) -> list[Secret]:
        return [self._known[name] for name in sorted(self._known)]

    async def set(self, name: str, value: bytes) -> Secret:
        """
        Raises:
            BadRequest: the name is not one, or there is no value.
            PayloadTooLarge: the value is over its bound.
            StateCorrupt: there is no key any more.
        """
        if SECRET_NAME.match(name) is None:
            raise BadRequest(f"{name[:80]!r} is no name of a secret", f"{SECRET_NAMES}: attacca secret set DB_PASSWORD")
        if not value:
            raise BadRequest(f"{name} has no value", "send it as the body; attacca secret set reads it from stdin")
        if len(value) > SECRET_KB << 10:
            raise PayloadTooLarge(f"a secret has at most {SECRET_KB} KB", "what is larger is no secret but data")
        if name not in self._known and len(self._known) >= MOST:
            raise BadRequest(f"there are {MOST} secrets already", "attacca secret list shows which nobody uses")
        sealed = self._vault.seal(name, value, is_first=not self._known)
        secret = Secret(name, self._clock.wall(), sealed)
        await self._store.put_if(SECRETS + name, msgspec.json.encode(secret), None)
        self._known[name] = secret
        return secret

    async def delete(self, name: str) -> None:
        """
        Raises:
            NotFound: there is no such secret.
        """
        if name not in self._known:
            raise unknown(name)
        await self._store.delete(SECRETS + name)
        self._known.pop(name, None)

    def value(self, name: str) -> bytes:
        """
        Raises:
            SecretMissing: it is not set.
            StateCorrupt: it cannot be opened.
        """
        secret = self._known.get(name)
        if secret is None:
            raise not_set(name)
        return self._vault.unseal(name, secret.sealed)

    def expect_all_of(self, settings: Settings) -> None:
        """
        Raises:
            SecretMissing, StateCorrupt: see `value`.
            BadFunction: one cannot be given in the way that is asked for.
        """
        for name, wanted in settings.secrets.items():
            if b"\0" in self.value(name) and wanted is SecretAs.ENV:
                raise BadFunction(f"the secret {name} contains a NUL, which no variable can", f'write {name} = "file"')


def decode(key: str, value: bytes) -> Secret:
    try:
        secret = msgspec.json.decode(value, type=Secret)
        if key != SECRETS + secret.name or SECRET_NAME.match(secret.name) is None or not math.isfinite(secret.set_at):
            raise ValueError("it is no secret of that name")
    except (ValueError, RecursionError) as error:  # msgspec's own is one
        name = key.removeprefix(SECRETS)
        raise StateCorrupt(
            f"the entry {key!r} of the state cannot be read: {error}", f"set it again: attacca secret set {name}"
        ) from None
    return secret
