"""The stores on real servers: conformance, and what is so when the server or the way to it fails."""

import asyncio
import itertools
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from attacca.errors import BadConfig, StateUnavailable
from attacca.io.store.config import StoreConfig
from attacca.io.store.conformance import check_shared, check_store
from attacca.io.store.opening import open_store
from attacca.io.store.steady import SteadyStore
from attacca.io.store.types import ABSENT, Change, Store
from attacca.kernel.clock import SystemClock
from tests.live.patience import PATIENCE_S
from tests.live.stores import Proxy, StoreServer, running

CLOCK = SystemClock()
KINDS = ["redis", "etcd"]
NOWHERE = Path("/nowhere")  # no SQLite here

WRITER = """
import asyncio, sys
from pathlib import Path
from attacca.errors import StateUnavailable
from attacca.io.store.config import StoreConfig
from attacca.io.store.opening import open_store
from attacca.kernel.clock import SystemClock

async def main():
    store = await open_store(StoreConfig(url=sys.argv[1]), Path("/nowhere"), SystemClock())
    for number in range(100_000):
        await store.put_if(f"k/{number:06}", b"x" * 100, 0)
        print(number, flush=True)

asyncio.run(main())
"""


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    with running(request.param, tmp_path_factory.mktemp(request.param)) as one:
        yield one


@pytest.fixture(params=KINDS)
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreServer]:
    """A server to be killed."""
    with running(request.param, tmp_path / "server") as one:
        yield one


prefixes = (f"p{number}" for number in itertools.count())


def opened(config: StoreConfig, prefix: str) -> Awaitable[Store]:
    return open_store(msgspec.structs.replace(config, url=f"{config.url}?prefix={prefix}"), NOWHERE, CLOCK)


@asynccontextmanager
async def proxy_to(server: StoreServer) -> AsyncIterator[Proxy]:
    proxy = Proxy(server.port)
    await proxy.open()
    try:
        yield proxy
    finally:
        await proxy.close()


@asynccontextmanager
async def proxied(server: StoreServer, timeout_s: float = 5.0) -> AsyncIterator[tuple[Proxy, Store]]:
    async with proxy_to(server) as proxy:
        store = await opened(server.config(proxy.port, timeout_s), next(prefixes))
        yield proxy, store
        await store.close()


def play(story: Callable[[Proxy, Store], Awaitable[None]], server: StoreServer, timeout_s: float = 5.0) -> None:
    async def main() -> None:
        async with proxied(server, timeout_s) as (proxy, store):
            await story(proxy, store)

    asyncio.run(main())


def test_it_does_what_a_store_does(server: StoreServer) -> None:
    asyncio.run(check_store(lambda: opened(server.config(timeout_s=PATIENCE_S), next(prefixes))))


def test_it_says_whom_it_asks(server: StoreServer) -> None:
    async def main() -> str:
        store = await opened(server.config(), next(prefixes))
        assert isinstance(store, SteadyStore)
        await store.close()
        return repr(store._raw)

    said = asyncio.run(main())
    assert said.startswith(("<RedisStore redis://", "<EtcdStore etcd://"))
    assert said.endswith(": asks member 0>") is said.startswith("<EtcdStore")


def test_it_does_so_over_a_slow_network(server: StoreServer) -> None:
    async def main() -> None:
        async with proxy_to(server) as proxy:
            proxy.delay_s = 0.01
            await check_store(lambda: opened(server.config(proxy.port), next(prefixes)))

    asyncio.run(main())


def test_two_who_share_it_see_each_other(server: StoreServer) -> None:
    async def main() -> None:
        prefix = next(prefixes)
        first, second = await opened(server.config(), prefix), await opened(server.config(), prefix)
        await check_shared(first, second)
        await first.close()
        await second.close()

    asyncio.run(main())


def test_others_in_the_same_server_are_not_seen(server: StoreServer) -> None:
    async def main() -> None:
        ours, theirs = await opened(server.config(), next(prefixes)), await opened(server.config(), next(prefixes))
        await theirs.put_if("a", b"theirs", ABSENT)
        assert await ours.get("a") is None
        assert await ours.scan("") == []
        await ours.close()
        await theirs.close()

    asyncio.run(main())


def test_a_connection_that_is_cut_in_the_middle_costs_no_write_and_makes_none_twice(server: StoreServer) -> None:
    """Whoever is answered has written exactly what it says: the versions tell."""

    async def story(proxy: Proxy, store: Store) -> None:
        async def cut() -> None:
            while True:
                await asyncio.sleep(0.02)
                proxy.cut()

        cutting = asyncio.create_task(cut())
        version = ABSENT
        for number in range(60):
            version = (await store.put_if("n", str(number).encode(), version)).version
        cutting.cancel()
        entry = await store.get("n")
        assert entry is not None
        assert (entry.value, entry.version) == (b"59", version)

    play(story, server, timeout_s=20.0)


def test_an_answer_that_is_lost_is_looked_for(server: StoreServer) -> None:
    async def main() -> None:
        prefix = next(prefixes)
        async with proxy_to(server) as proxy:
            far, near = await opened(server.config(proxy.port), prefix), await opened(server.config(), prefix)
            first = await far.put_if("a", b"1", ABSENT)
            proxy.swallows_answers = True
            writing = asyncio.create_task(far.put_if("a", b"2", first.version))
            async for change in near.watch("a"):
                if change.entry is not None and change.entry.value == b"2":
                    break
            proxy.cut()
            proxy.swallows_answers = False
            assert await writing == await near.get("a")
            await far.close()
            await near.close()

    asyncio.run(main())


def test_one_that_does_not_answer_is_given_up_in_time_and_comes_back(server: StoreServer) -> None:
    async def story(proxy: Proxy, store: Store) -> None:
        await store.put_if("a", b"1", ABSENT)
        proxy.is_deaf = True
        for call in (store.get("a"), store.put_if("a", b"2", None), store.scan(""), store.delete("a")):
            with pytest.raises(StateUnavailable) as caught:
                await asyncio.wait_for(call, 5.0)
            assert caught.value.hint
            assert server.kind in caught.value.message
        with pytest.raises(StateUnavailable):
            await store.lease("leader", "ann", 2.0)
        proxy.is_deaf = False
        assert (await store.put_if("a", b"3", None)).value == b"3"

    play(story, server, timeout_s=0.5)


def test_a_watch_outlives_the_store_and_hears_of_what_was_deleted_meanwhile(server: StoreServer) -> None:
    async def main() -> None:
        prefix = next(prefixes)
        async with proxy_to(server) as proxy:
            far, near = await opened(server.config(proxy.port, 1.0), prefix), await opened(server.config(), prefix)
            entry = await near.put_if("a/1", b"", ABSENT)
            changes = far.watch("a/")
            assert await anext(changes) == Change("a/1", entry)
            proxy.is_deaf = True
            proxy.cut()
            await near.delete("a/1")
            newer = await near.put_if("a/2", b"", ABSENT)
            proxy.is_deaf = False
            async with asyncio.timeout(30):
                assert await anext(changes) == Change("a/1", None)
                assert await anext(changes) == Change("a/2", newer)
            await far.close()
            with pytest.raises(StateUnavailable):
                await anext(changes)
            await near.close()

    asyncio.run(main())


def test_what_was_acknowledged_survives_kill_9_of_the_server(own: StoreServer) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, own.url()], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as writer:
        assert writer.stdout is not None
        for _ in range(50):
            acknowledged = int(writer.stdout.readline())
        own.kill()
        own.start()
        for _ in range(50):  # and goes on by itself
            acknowledged = int(writer.stdout.readline())
        writer.kill()

    async def main() -> None:
        store = await open_store(own.config(), NOWHERE, CLOCK)
        keys = [entry.key for entry in await store.scan("k/")]
        assert keys[: acknowledged + 1] == [f"k/{number:06}" for number in range(acknowledged + 1)]
        await store.close()

    asyncio.run(main())


def test_fences_and_versions_grow_over_a_restart_of_the_server(own: StoreServer) -> None:
    async def main() -> None:
        store = await open_store(own.config(), NOWHERE, CLOCK)
        entry = await store.put_if("a", b"", ABSENT)
        first = await store.lease("leader", "ann", 2.0)
        assert first is not None
        own.kill()
        own.start()
        assert await store.get("a") == entry
        assert await store.release(first)
        second = await store.lease("leader", "bob", 2.0)
        assert second is not None
        assert second.fence > first.fence
        assert (await store.put_if("a", b"", entry.version)).version > entry.version
        await store.close()

    asyncio.run(main())


def test_one_that_stands_still_is_waited_for(own: StoreServer) -> None:
    async def main() -> None:
        store = await open_store(own.config(), NOWHERE, CLOCK)
        entry = await store.put_if("a", b"1", ABSENT)
        own.signal(signal.SIGSTOP)
        writing = asyncio.create_task(store.put_if("a", b"2", entry.version))
        await asyncio.wait({writing}, timeout=0.5)
        assert not writing.done()
        own.signal(signal.SIGCONT)
        assert (await writing).value == b"2"
        await store.close()

    asyncio.run(main())


@pytest.mark.parametrize("kind", KINDS)
def test_where_nobody_listens_it_says_so(kind: str) -> None:
    config = StoreConfig(url=f"{kind}://127.0.0.1:1", timeout_s=1.0)
    with pytest.raises(StateUnavailable) as caught:
        asyncio.run(open_store(config, NOWHERE, CLOCK))
    assert f"{kind}://127.0.0.1:1" in caught.value.message


def test_redis_that_would_forget_is_refused(tmp_path: Path) -> None:
    with running("redis", tmp_path / "server", "--appendfsync", "everysec") as server:
        with pytest.raises(BadConfig, match="appendfsync") as caught:
            asyncio.run(open_store(server.config(), NOWHERE, CLOCK))
        assert caught.value.hint.startswith("redis-cli config set appendfsync always")


def test_redis_asks_for_a_password_that_nobody_is_shown(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("opensesame\n")
    with running("redis", tmp_path / "server", "--requirepass", "opensesame") as server:
        for url in (server.url(), server.url().replace("//", "//:wrong@")):
            with pytest.raises(BadConfig, match="does not let us in") as caught:
                asyncio.run(open_store(StoreConfig(url=url), NOWHERE, CLOCK))
            assert "wrong" not in caught.value.message.partition(": ")[0]

        async def main(config: StoreConfig) -> None:
            store = await open_store(config, NOWHERE, CLOCK)
            assert await store.get("a") is None
            assert "opensesame" not in repr(store)
            await store.close()

        asyncio.run(main(StoreConfig(url=server.url(), password_file=secret)))
        asyncio.run(main(StoreConfig(url=server.url().replace("//", "//:opensesame@"))))


def made_certificate(path: Path) -> Path:
    """Of 127.0.0.1, which vouches for itself."""
    what = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    of = ["-subj", "/CN=store", "-addext", "subjectAltName=IP:127.0.0.1"]
    where = ["-out", str(path), "-keyout", str(path.with_suffix(".key"))]
    subprocess.run(["openssl", "req", *what, *of, *where], check=True, capture_output=True)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_over_tls_it_does_what_a_store_does_for_those_who_know_its_authority(kind: str, tmp_path: Path) -> None:
    certificate, other = made_certificate(tmp_path / "one.crt"), made_certificate(tmp_path / "other.crt")
    with running(kind, tmp_path / "server", certificate=certificate) as server:

        def trusting() -> Awaitable[Store]:
            url = f"{server.url()}?ca={certificate}&prefix={next(prefixes)}"
            return open_store(StoreConfig(url=url, timeout_s=PATIENCE_S), NOWHERE, CLOCK)

        asyncio.run(check_store(trusting))
        for url in (f"{server.url()}?ca={other}", server.url(), server.url().replace("s://", "://")):
            with pytest.raises(StateUnavailable):
                asyncio.run(open_store(StoreConfig(url=url, timeout_s=2.0), NOWHERE, CLOCK))
