"""A store on a Redis server: every call is one script there, so that nobody comes in between.

PREFIX:count           grows with every write
PREFIX:entry:KEY       a hash: its version, its data
PREFIX:keys            all keys, in their order
PREFIX:lease:KEY       a hash that the server itself lets expire: holder, fence
"""

from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Any, Self, cast

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    NoPermissionError,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as LostConnection
from redis.exceptions import TimeoutError as LateConnection

from attacca.errors import BadConfig, StateUnavailable, StateUncertain
from attacca.io.store.address import Address
from attacca.io.store.memory import conflict, lost
from attacca.io.store.types import ABSENT, Entry, Lease

CONNECTIONS = 8
EXPECT = """
local held = ARGV[3] == '' or redis.call('HGET', KEYS[4], 'fence') == ARGV[3]
if not held then return {'lost', '0'} end
local found = redis.call('HGET', KEYS[2], 'version') or '0'
if found ~= ARGV[2] then return {'conflict', found} end
"""
PUT = (
    EXPECT
    + """
local version = redis.call('INCR', KEYS[1])
redis.call('HSET', KEYS[2], 'version', version, 'data', ARGV[4])
redis.call('ZADD', KEYS[3], 0, ARGV[1])
return {'done', tostring(version)}
"""
)
DELETE = (
    EXPECT
    + """
redis.call('INCR', KEYS[1])
redis.call('ZREM', KEYS[3], ARGV[1])
return {'done', tostring(redis.call('DEL', KEYS[2]))}
"""
)
SCAN = """
local found = {}
for _, key in ipairs(redis.call('ZRANGEBYLEX', KEYS[1], '[' .. ARGV[1], '(' .. ARGV[1] .. '\\127')) do
    local entry = redis.call('HMGET', ARGV[2] .. key, 'version', 'data')
    found[#found + 1] = {key, entry[1], entry[2]}
end
return found
"""
LEASE = """
local held = redis.call('HMGET', KEYS[2], 'holder', 'fence')
if held[1] and held[1] ~= ARGV[1] then return '' end
local fence = held[2] or tostring(redis.call('INCR', KEYS[1]))
redis.call('HSET', KEYS[2], 'holder', ARGV[1], 'fence', fence)
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return fence
"""
RELEASE = "if redis.call('HGET', KEYS[1], 'fence') ~= ARGV[1] then return 0 end return redis.call('DEL', KEYS[1])"
DURABLE = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}


class RedisStore:
    """A `steady.RawStore`."""

    def __init__(self, address: Address, timeout_s: float) -> None:
        self.name = str(address)
        self._prefix = address.prefix
        self._redis = Redis(connection_pool=pool(address, timeout_s), decode_responses=False)
        self._put, self._delete, self._scan, self._lease, self._release = (
            self._redis.register_script(script) for script in (PUT, DELETE, SCAN, LEASE, RELEASE)
        )

    @classmethod
    async def open(cls, address: Address, timeout_s: float) -> Self:
        """
        Raises:
            BadConfig: it lets nobody in with these names, or would forget what it has acknowledged.
            StateUnavailable: it cannot be reached now.
        """
        store = cls(address, timeout_s)
        try:
            await store._expect_durable()
        except BaseException:
            await store.close()
            raise
        return store

    def __repr__(self) -> str:
        return f"<RedisStore {self.name}>"

    async def get(self, key: str) -> Entry | None:
        with self._reading():
            version, data = await _given(self._redis.hmget(self._at("entry", key), ["version", "data"]))
        return None if version is None else Entry(key, data, int(version))

    async def put_if(self, key: str, value: bytes, version: int | None, under: Lease | None) -> Entry:
        with self._writing():
            outcome, number = await self._put(*self._asked(key, version, under, value))
        self._expect(outcome, key, version, under, int(number))
        return Entry(key, value, int(number))

    async def delete(self, key: str, version: int | None, under: Lease | None) -> bool:
        with self._writing():
            outcome, number = await self._delete(*self._asked(key, version, under))
        self._expect(outcome, key, version, under, int(number))
        return int(number) > 0

    async def scan(self, prefix: str) -> list[Entry]:
        with self._reading():
            rows = await self._scan([self._at("keys")], [prefix, self._at("entry", "")])
        return [Entry(key.decode(), data, int(version)) for key, version, data in rows]

    async def stamp(self) -> int:
        with self._reading():
            return int(await _given(self._redis.get(self._at("count"))) or 0)

    async def lease(self, key: str, holder: str, ttl_s: float) -> Lease | None:
        with self._writing():
            fence = await self._lease([self._at("count"), self._at("lease", key)], [holder, round(ttl_s * 1000)])
        return Lease(key, holder, int(fence)) if fence else None

    async def release(self, lease: Lease) -> bool:
        with self._writing():
            return bool(await self._release([self._at("lease", lease.key)], [lease.fence]))

    async def close(self) -> None:
        await self._redis.aclose()
        await self._redis.connection_pool.disconnect()

    async def _expect_durable(self) -> None:
        with self._reading():
            try:
                found = await _given(self._redis.config_get(*DURABLE))
            except (NoPermissionError, ResponseError) as error:
                if not _is_forbidden(error):
                    raise
                return  # who runs it does not show how, and answers for it
        wrong = {name: value for name, value in DURABLE.items() if _text(found.get(_key(found, name))) != value}
        if wrong:
            sets = " ".join(f"{name} {value}" for name, value in wrong.items())
            what = f"{self.name} would forget what it has acknowledged: it does not have {', '.join(wrong)} as needed"
            raise BadConfig(what, f"redis-cli config set {sets}, and the same in redis.conf")

    def _at(self, kind: str, key: str | None = None) -> str:
        return f"{self._prefix}:{kind}" if key is None else f"{self._prefix}:{kind}:{key}"

    def _asked(self, key: str, version: int | None, under: Lease | None, *more: bytes) -> tuple[list[str], list[Any]]:
        assert version is not None, "a steady store says which"
        places = [
            self._at("count"),
            self._at("entry", key),
            self._at("keys"),
            self._at("lease", under.key if under else ""),
        ]
        return places, [key, version, under.fence if under else "", *more]

    def _expect(self, outcome: bytes, key: str, version: int | None, under: Lease | None, found: int) -> None:
        if outcome == b"lost":
            assert under is not None
            raise lost(under)
        if outcome == b"conflict":
            raise conflict(key, ABSENT if version is None else version, found)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except RedisError as error:
            raise self._translated(error, StateUnavailable) from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (LostConnection, LateConnection) as error:
            raise self._translated(error, StateUncertain) from error
        except RedisError as error:
            raise self._translated(error, StateUnavailable) from error

    def _translated(self, error: RedisError, kind: type[StateUnavailable]) -> StateUnavailable | BadConfig:
        if isinstance(error, AuthenticationError | AuthorizationError) or _is_forbidden(error):
            hint = "name user and password in store.url, or the password in store.password_file"
            return BadConfig(f"{self.name} does not let us in: {error}", hint)
        if isinstance(error, BusyLoadingError):
            return StateUnavailable(f"{self.name} is still reading what it has on its disk", "wait for it")
        return kind(f"{self.name}: {str(error) or type(error).__name__}")


def pool(address: Address, timeout_s: float) -> BlockingConnectionPool:
    """What is asked again is asked by the steady store, which knows what was asked."""
    host, port = address.hosts[0]
    told: dict[str, Any] = {
        "host": host,
        "port": port,
        "db": address.database,
        "username": address.user or None,
        "password": address.password or None,
        "socket_connect_timeout": timeout_s,
        "socket_timeout": timeout_s,
        "socket_keepalive": True,
        "retry": Retry(NoBackoff(), 0),
        "max_connections": CONNECTIONS,
        "timeout": timeout_s,
    }
    if address.has_tls:
        address.tls()  # says what is wrong with its files
        told |= {
            "connection_class": SSLConnection,
            "ssl_ca_certs": address.ca or None,
            "ssl_certfile": address.cert or None,
            "ssl_keyfile": address.key or address.cert or None,
        }
    return BlockingConnectionPool(**told)


def _given(answer: Any) -> Awaitable[Any]:
    """redis-py types its commands for both of its clients at once."""
    return cast(Awaitable[Any], answer)


def _is_forbidden(error: Exception) -> bool:
    return str(error).startswith(("NOAUTH", "NOPERM", "WRONGPASS")) or "unknown command" in str(error)


def _key(found: dict[Any, Any], name: str) -> Any:
    return name if name in found else name.encode()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
