"""Secrets in a store and a vault in memory."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from attacca.control.core.secrets import SECRETS
from attacca.control.secrets import MOST, Secret, Secrets
from attacca.errors import AttaccaError, BadFunction, BadRequest, NotFound, PayloadTooLarge, SecretMissing, StateCorrupt
from attacca.io.store.memory import MemoryStore
from attacca.io.store.types import ABSENT
from attacca.io.vault.memory import MemoryVault
from attacca.kernel.clock import ManualClock
from attacca.model.function import SECRET_KB, Settings
from tests.cases import each
from tests.logged import Logged


def story(play: Callable[[Secrets, MemoryStore], Awaitable[None]]) -> None:
    clock = ManualClock(50.0)
    store = MemoryStore(clock)
    asyncio.run(play(Secrets(store, MemoryVault(), clock), store))  # type: ignore[arg-type]


def settings(**secrets: str) -> Settings:
    return msgspec.convert({"name": "f", "secrets": secrets}, Settings)


def test_a_secret_is_had_by_name_until_it_is_deleted() -> None:
    async def play(secrets: Secrets, store: MemoryStore) -> None:
        await secrets.set("B", b"one")
        await secrets.set("A", b"\0")
        await secrets.set("B", b"two")
        assert [one.name for one in secrets.all()] == ["A", "B"]
        assert secrets.value("B") == b"two"
        await secrets.delete("B")
        with pytest.raises(SecretMissing) as caught:
            secrets.value("B")
        assert caught.value.hint == "attacca secret set B"
        with pytest.raises(NotFound):
            await secrets.delete("B")
        assert [entry.key for entry in await store.scan("")] == [SECRETS + "A"]

    story(play)


def test_they_are_there_again_after_a_restart_and_what_is_damaged_counts_as_not_set() -> None:
    async def play(secrets: Secrets, store: MemoryStore) -> None:
        clock, vault = ManualClock(), MemoryVault()
        await Secrets(store, vault, clock).set("A", b"value")
        await store.put_if(SECRETS + "B", b"{", ABSENT)
        await store.put_if(SECRETS + "C", msgspec.json.encode(Secret("A", 0.0, b"x")), ABSENT)
        again = Secrets(store, vault, clock)
        await again.open()
        assert (again.value("A"), len(again.all())) == (b"value", 1)
        await again.set("B", b"new")
        assert again.value("B") == b"new"

    story(play)


@each("name", ["", "1A", "A B", "A\n", "A.B", "é", "A/B", "A" * 65, "-a", "\0"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    async def play(secrets: Secrets, store: MemoryStore) -> None:
        with pytest.raises(BadRequest):
            await secrets.set(name, b"s3cret")
        with pytest.raises(NotFound):
            await secrets.delete(name)
        with pytest.raises(AttaccaError):
            secrets.value(name)
        assert await store.scan("") == []

    story(play)


def test_a_value_has_a_size_and_there_is_a_number_of_them() -> None:
    async def play(secrets: Secrets, store: MemoryStore) -> None:
        with pytest.raises(BadRequest, match="A has no value"):
            await secrets.set("A", b"")
        with pytest.raises(PayloadTooLarge):
            await secrets.set("A", b"x" * (SECRET_KB * 1024 + 1))
        await secrets.set("A", b"x" * (SECRET_KB * 1024))
        for number in range(MOST - 1):
            await secrets.set(f"S{number}", b"x")
        await secrets.set("A", b"one that is there is set all the same")
        with pytest.raises(BadRequest, match="secrets already"):
            await secrets.set("B", b"x")

    story(play)


def test_what_a_function_asks_for_must_be_there_and_fit() -> None:
    async def play(secrets: Secrets, store: MemoryStore) -> None:
        await secrets.set("A", b"x\0y")
        secrets.expect_all_of(settings(A="file"))
        with pytest.raises(BadFunction, match="A contains a NUL"):
            secrets.expect_all_of(settings(A="env"))
        with pytest.raises(SecretMissing, match="B is not set"):
            secrets.expect_all_of(settings(A="file", B="env"))

    story(play)


def test_no_key_is_made_for_secrets_that_have_had_one() -> None:
    async def play(secrets: Secrets, store: MemoryStore) -> None:
        await secrets.set("A", b"x")
        forgetful = Secrets(store, MemoryVault(), ManualClock())
        await forgetful.open()
        for work in (forgetful.set("B", b"x"), forgetful.set("A", b"x")):
            with pytest.raises(StateCorrupt):
                await work
        with pytest.raises(StateCorrupt):
            forgetful.value("A")

    story(play)


def test_a_control_without_their_key_says_so_before_it_is_to_lead(logged: Logged) -> None:
    async def play(secrets: Secrets, store: MemoryStore) -> None:
        await secrets.set("A", b"one")
        secrets.tell_sealed()
        assert logged.messages == []
        other = Secrets(store, MemoryVault(), ManualClock())
        await other.open()
        other.tell_sealed()
        assert "cannot start while this control leads: the secret A cannot be opened" in logged.messages[0]

    story(play)
