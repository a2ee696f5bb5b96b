"""Opens the store that a URL names. What speaks to Redis or etcd is imported only where one of them is meant."""

import asyncio
import importlib
from pathlib import Path

from attacca.errors import BadConfig, StateUnavailable
from attacca.io.store.address import Address, parse
from attacca.io.store.config import StoreConfig
from attacca.io.store.sqlite import SqliteStore
from attacca.io.store.steady import ATTEMPT, RawStore, SteadyStore
from attacca.io.store.types import Store
from attacca.kernel.clock import Clock

AGAIN_S = 0.1  # between two attempts to open it
LIBRARIES = {"redis": "redis", "etcd": "aiohttp"}


async def open_store(config: StoreConfig, database: Path, clock: Clock) -> Store:
    """`database`: where SQLite's file lies if the URL does not say.

    Raises:
        BadConfig: the URL is none, what it names lets nobody in, or the library for it is not installed.
        StateCorrupt: see `SqliteStore.open`.
        StateUnavailable: it cannot be reached now.
    """
    address = parse(config.url, config.password_file)
    if address.kind == "sqlite":
        return await SqliteStore.open(_file(address, database), clock)
    loop = asyncio.get_running_loop()
    end = loop.time() + config.timeout_s
    while True:
        try:
            return SteadyStore(await _open(address, config.timeout_s * ATTEMPT), config.timeout_s)
        except StateUnavailable as error:
            if loop.time() > end:
                hint = error.hint or "check that it runs and can be reached from here; then try again"
                raise StateUnavailable(error.message, hint) from error
        await asyncio.sleep(AGAIN_S)


def is_beside(config: StoreConfig) -> bool:
    """It is SQLite's file in the state directory, beside the code: one does not go without the other."""
    return config.url == "sqlite:"


def _file(address: Address, database: Path) -> Path:
    return Path(address.path).expanduser() if address.path else database


async def _open(address: Address, timeout_s: float) -> RawStore:
    expect_library(address.kind)
    if address.kind == "redis":
        from attacca.io.store.redis import RedisStore

        return await RedisStore.open(address, timeout_s)
    from attacca.io.store.etcd import EtcdStore

    return await EtcdStore.open(address, timeout_s)


def expect_library(kind: str, setting: str = "store") -> None:
    """`setting`: the section that names the server.

    Raises:
        BadConfig: what speaks to it is not installed.
    """
    try:
        importlib.import_module(LIBRARIES[kind])
    except ImportError:
        raise BadConfig(
            f"{setting}.url names {kind}, which needs the library {LIBRARIES[kind]}, which is not installed",
            f"pip install 'attacca[{kind}]'",
        ) from None
