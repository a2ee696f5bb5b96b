"""The tokens in the store, known by heart so that a request can be judged without asking the disk."""

import asyncio
import secrets
from collections.abc import Callable

import msgspec

from attacca.control.core import tokens
from attacca.control.core.tokens import Token
from attacca.errors import AttaccaError, Conflict, NotFound, StateCorrupt
from attacca.io.store.types import ABSENT, Change, Store
from attacca.kernel.access import bearer
from attacca.kernel.clock import Clock

TOKENS = "tokens/"
JOIN = "cluster/join"
JOIN_PREFIX = "attacca_join_"
PREFIX = "attacca_"  # so that secret scanners know what they have found


class Tokens:
    """Also serves `attacca token create` beside a running server: whichever process writes, the other hears of it."""

    def __init__(self, store: Store, clock: Clock, tell_changed: Callable[[], None] | None = None) -> None:
        self._store = store
        self._tell_changed = tell_changed
        self._clock = clock
        self._known: dict[str, Token] = {}
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Tokens {len(self._known)} known>"

    async def open(self) -> None:
        """Read them, and go on listening for those that other processes make or revoke."""
        for entry in await self._store.scan(TOKENS):
            self._learn(Change(entry.key, entry))
        self._task = asyncio.create_task(self._watch())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def create(self, name: str = "") -> tuple[Token, str]:
        """The token and its secret, which is not to be had again.

        Raises:
            BadRequest: the name is not one.
        """
        secret = PREFIX + secrets.token_urlsafe(32)
        token = tokens.make(secrets.token_hex(4), secret, name, self._clock.wall())
        await self._store.put_if(TOKENS + token.id, msgspec.json.encode(token), ABSENT)
        self._known[token.id] = token
        self._changed()
        return token, secret

    async def delete(self, token_id: str) -> None:
        """
        Raises:
            NotFound: there is no such token.
        """
        found = [entry for entry in await self._store.scan(TOKENS) if entry.key == TOKENS + token_id]
        if not found or not await self._store.delete(found[0].key):
            raise NotFound(f"there is no token {token_id!r}", "attacca token list shows their ids")
        self._known.pop(token_id, None)
        self._changed()

    async def all(self) -> list[Token]:
        """From the store, oldest first."""
        found = [decode(entry.key, entry.value) for entry in await self._store.scan(TOKENS)]
        return sorted(found, key=lambda token: (token.created_at, token.id))

    async def join(self, *, renew: bool = False) -> str:
        """What other planes show to be let in; made when there is none, and with `renew` in any case."""
        entry = None if renew else await self._store.get(JOIN)
        if entry is None:
            made = (JOIN_PREFIX + secrets.token_urlsafe(32)).encode()
            try:
                entry = await self._store.put_if(JOIN, made, None if renew else ABSENT)
            except Conflict:  # another control has just made one
                return await self.join()
        return entry.value.decode()

    def digests(self) -> tuple[str, ...]:
        """By which others can judge a secret without knowing it."""
        return tuple(token.sha256 for token in self._known.values())

    def is_known(self, secret: str) -> bool:
        return tokens.match(self._known.values(), secret) is not None

    def admits(self, authorization: str | None) -> bool:
        """Does this Authorization header carry one of them?"""
        secret = None if authorization is None else bearer(authorization)
        return secret is not None and self.is_known(secret)

    async def _watch(self) -> None:
        while True:
            try:
                async for change in self._store.watch(TOKENS):
                    self._learn(change)
            except AttaccaError:
                await asyncio.sleep(1.0)  # the store is busy, or closing

    def _learn(self, change: Change) -> None:
        token_id = change.key.removeprefix(TOKENS)
        if change.entry is None:
            self._known.pop(token_id, None)
        else:
            self._known[token_id] = decode(change.key, change.entry.value)
        self._changed()

    def _changed(self) -> None:
        if self._tell_changed is not None:
            self._tell_changed()


def decode(key: str, value: bytes) -> Token:
    try:
        token = msgspec.json.decode(value, type=Token)
        if key != TOKENS + token.id or not tokens.is_name(token.name):
            raise ValueError("it is no token of that id")
    except (ValueError, RecursionError) as error:  # msgspec's own is one
        raise StateCorrupt(
            f"the entry {key!r} of the state cannot be read: {error}", "revoke it with attacca token revoke"
        ) from None
    return token
