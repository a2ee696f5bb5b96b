"""Which journal there is: where the state is. Several gateways share one on Redis, and one in a file on one machine."""

from pathlib import Path

from attacca.io.journal.sqlite import SqliteJournal
from attacca.io.journal.types import Journal
from attacca.io.store.address import parse
from attacca.io.store.config import StoreConfig
from attacca.kernel.clock import Clock


def is_shared(config: StoreConfig) -> bool:
    """Do gateways of all machines have the same?"""
    return parse(config.url, config.password_file).kind == "redis"


async def open_journal(config: StoreConfig, file: Path, owner: str, clock: Clock) -> Journal:
    """`file`: where it lies, unless the state is on a server that can keep it. `owner`: see `SqliteJournal.open`.

    Raises:
        BadConfig: the URL is none.
        StateCorrupt: see `SqliteJournal.open`.
        StateUnavailable: a file cannot be opened now.
    """
    address = parse(config.url, config.password_file)
    if address.kind != "redis":
        return await SqliteJournal.open(file, owner, clock)
    from attacca.io.journal.redis import RedisJournal

    return await RedisJournal.open(address, owner, config.timeout_s)
