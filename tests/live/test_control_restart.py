"""What a control plane finds when it starts anew, and what it leaves when it ends."""

import asyncio
import os
from pathlib import Path

import pytest

from attacca.control.core.progress import Done, Refused
from attacca.errors import BadConfig, NotFound, StateCorrupt
from attacca.io.store.memory import MemoryStore
from attacca.io.store.sqlite import SqliteStore
from attacca.io.store.types import ABSENT
from attacca.model.function import Network
from attacca.model.messages import Catalogue
from tests.live.test_control_driver import CLOCK, Bench, story, until


def test_functions_survive_a_restart_and_generations_grow(tmp_path: Path) -> None:
    async def main() -> None:
        generations = []
        for round_ in range(2):
            store = await SqliteStore.open(tmp_path / "state.db", CLOCK)
            bench = Bench(tmp_path, store)
            await bench.open()
            catalogue = bench.heard[0]
            assert isinstance(catalogue, Catalogue)
            assert [revision.id for revision in catalogue.current] == ["hello@1"] * round_
            if not round_:
                await bench.deploy()
            generations.append(bench.heard[-1].generation)
            assert len(bench.directories()) == 1
            await bench.control.close()
            await store.close()
        assert generations[0] < generations[1]

    asyncio.run(main())


def test_a_second_server_is_refused_and_nothing_is_leaked(tmp_path: Path) -> None:
    async def play(bench: Bench) -> None:
        with pytest.raises(BadConfig, match=f"process {os.getpid()}"):
            await Bench(tmp_path, MemoryStore(CLOCK)).control.open()

    story(tmp_path, play)


@pytest.mark.parametrize("value", [b"not json", b'{"name":"other","current":1,"last":1,"revisions":[]}'])
def test_a_damaged_entry_stops_the_start_and_is_named(tmp_path: Path, value: bytes) -> None:
    async def main() -> None:
        store = MemoryStore(CLOCK)
        entry = await store.put_if("functions/hello", value, ABSENT)
        control = Bench(tmp_path, store).control
        with pytest.raises(StateCorrupt, match="functions/hello"):
            await control.open()
        assert await store.get("functions/hello") == entry
        control.state.lock()  # it was let go
        control.state.unlock()

    asyncio.run(main())


def test_closing_ends_what_is_being_deployed(tmp_path: Path) -> None:
    async def play(bench: Bench) -> None:
        bench.gate = asyncio.Event()
        running = asyncio.create_task(bench.deploy())
        await until(lambda: len(bench.checked) == 1)
        await bench.control.close()
        *_, refused = await running
        assert isinstance(refused, Refused)
        assert refused.code == "draining"

    story(tmp_path, play)


def test_tokens_made_by_another_process_are_known_and_revoked_ones_are_not(tmp_path: Path) -> None:
    async def main() -> None:
        ours = await SqliteStore.open(tmp_path / "state.db", CLOCK, poll_s=0.01)
        theirs = await SqliteStore.open(tmp_path / "state.db", CLOCK)
        bench, beside = Bench(tmp_path / "a", ours), Bench(tmp_path / "b", theirs)
        await bench.open()
        token, secret = await beside.control.tokens.create("laptop")
        await until(lambda: bench.control.tokens.admits(f"Bearer {secret}"))
        assert [known.name for known in await bench.control.tokens.all()] == ["laptop"]
        await beside.control.tokens.delete(token.id)
        await until(lambda: not bench.control.tokens.is_known(secret))
        assert not bench.control.tokens.admits(None)
        with pytest.raises(NotFound):
            await bench.control.tokens.delete("no/such key!")
        assert secret.encode() not in (tmp_path / "state.db").read_bytes()
        await bench.control.close()
        await ours.close()
        await theirs.close()

    asyncio.run(main())


def test_where_sandboxes_are_the_servers_own_user_the_network_of_the_host_asks_for_a_token(tmp_path: Path) -> None:
    async def play(bench: Bench) -> None:
        assert isinstance((await bench.deploy(name="inner"))[-1], Done)
        bench.network = Network.HOST
        *_, refused = await bench.deploy()
        assert isinstance(refused, Refused)
        assert (refused.code, len(bench.checked)) == ("forbidden", 1)
        assert "token create" in refused.hint
        assert not bench.control.is_uid_shared
        await bench.control.tokens.create("laptop")
        assert isinstance((await bench.deploy())[-1], Done)
        assert bench.control.is_uid_shared
        await bench.control.delete("hello")
        assert bench.control.is_uid_shared, "its sandboxes may still be there"

    story(tmp_path, play, is_ordinary_user=True)


@pytest.mark.parametrize("is_ordinary_user", [True, False])
def test_a_restart_knows_who_has_the_network_of_the_host(tmp_path: Path, is_ordinary_user: bool) -> None:  # noqa: FBT001
    async def main() -> None:
        store = MemoryStore(CLOCK)
        for is_after in (False, True):
            bench = Bench(tmp_path, store, is_ordinary_user=is_ordinary_user)
            await bench.open()
            assert bench.control.is_uid_shared == (is_after and is_ordinary_user)
            if not is_after:
                await bench.control.tokens.create("laptop")
                bench.network = Network.HOST
                await bench.deploy()
                bench.network = Network.NONE
                await bench.deploy()  # the revision before may be rolled back to
            await bench.control.close()

    asyncio.run(main())


def test_what_is_closed_as_soon_as_it_is_open_ends(tmp_path: Path) -> None:
    async def main() -> None:
        for _ in range(20):
            store = await SqliteStore.open(tmp_path / "state.db", CLOCK)
            bench = Bench(tmp_path, store)
            await bench.open()
            async with asyncio.timeout(20):
                await bench.control.close()
            assert repr(bench.control) == "<Control draining: 0 deployments, 0 tasks>"
            await store.close()

    asyncio.run(main())
