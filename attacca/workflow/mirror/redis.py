"""A mirror's database in a Redis server. Each call is one script there, so that readers see all of it or nothing.

PREFIX attacca:mirror:run      which run writes
PREFIX attacca:mirror:keys     a hash: which keys are ours, and of what kind each is
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from redis.asyncio import Redis
from redis.exceptions import RedisError

from attacca.errors import StateUnavailable
from attacca.io.store.address import Address
from attacca.io.store.redis import pool
from attacca.workflow.mirror.types import INTENT, INTENTS, SERIES_MOST, VALUE_MOST, Popped
from attacca.workflow.mirror.writes import Append, Drop, Score, Set, Write

CHUNK = 2000  # writes of one script
WRITE = f"""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
local keep, refused = tonumber(ARGV[2]), 0
for i = 3, #ARGV, 4 do
    local kind, key, value, at = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
    local answer
    if kind == 'set' then
        answer = redis.pcall('SET', key, value)
        redis.call('HSET', KEYS[2], key, 'string')
    elseif kind == 'drop' then
        answer = redis.pcall('DEL', key)
        redis.call('HDEL', KEYS[2], key)
    elseif kind == 'append' then
        answer = redis.pcall('RPUSH', key, value)
        if not (type(answer) == 'table' and answer.err) then
            redis.call('LTRIM', key, -{SERIES_MOST}, -1)
            redis.call('EXPIRE', key, math.ceil(keep))
        end
    else
        answer = redis.pcall('ZADD', key, at, value)
        if not (type(answer) == 'table' and answer.err) then
            redis.call('ZREMRANGEBYSCORE', key, '-inf', tonumber(at) - keep)
            redis.call('ZREMRANGEBYRANK', key, 0, -{SERIES_MOST + 1})
            if kind == 'fleeting' then redis.call('EXPIRE', key, math.ceil(keep))
            else redis.call('HSET', KEYS[2], key, 'zset') end
        end
    end
    if type(answer) == 'table' and answer.err then refused = refused + 1 end
end
return refused
"""
TAKE = f"""
local function taken(key)
    if string.sub(key, 1, #ARGV[1]) ~= ARGV[1] or redis.call('TYPE', key).ok ~= 'string' then return false end
    local value = redis.call('GETRANGE', key, 0, {VALUE_MOST})
    redis.call('DEL', key)
    return value
end
"""
POP = (
    TAKE
    + """
if redis.call('TYPE', KEYS[1]).ok ~= 'list' then return false end
local key = redis.call('LPOP', KEYS[1])
if string.sub(key, 1, #ARGV[2]) ~= ARGV[2] then return {key, false} end
return {key, taken(key)}
"""
)
TAKE_ONE = TAKE + "return taken(KEYS[1])"


class RedisGlass:
    """A `types.Glass`."""

    def __init__(self, address: Address, prefix: str, timeout_s: float) -> None:
        self._name, self._prefix = str(address), prefix
        self._redis = Redis(connection_pool=pool(address, timeout_s), decode_responses=False)
        self._run, self._keys = f"{prefix}attacca:mirror:run", f"{prefix}attacca:mirror:keys"
        self._write, self._pop, self._take = (self._redis.register_script(script) for script in (WRITE, POP, TAKE_ONE))

    def __repr__(self) -> str:
        return f"<RedisGlass {self._name}, keys begin with {self._prefix!r}>"

    async def begin(self, run: str) -> Mapping[str, str]:
        with self._told():
            async with self._redis.pipeline(transaction=True) as line:
                line.set(self._run, run)
                line.hgetall(self._keys)
                _, owned = await line.execute()
        return {key.decode(): kind.decode() for key, kind in owned.items()}

    async def write(self, run: str, writes: Sequence[Write], keep_s: float) -> int | None:
        refused = 0
        for start in range(0, max(len(writes), 1), CHUNK):
            words = [word for one in writes[start : start + CHUNK] for word in spelt(one)]
            with self._told():
                answer = await self._write([self._run, self._keys], [run, keep_s, *words])
            if answer < 0:
                return None
            refused += answer
        return refused

    async def pop(self) -> Popped | None:
        with self._told():
            found = await self._pop([self._prefix + INTENTS], [self._prefix + INTENT, self._prefix])
        return None if found is None else Popped(found[0].removeprefix(self._prefix.encode()), found[1])

    async def take(self, key: bytes) -> bytes | None:
        with self._told():
            value: bytes | None = await self._take([self._prefix.encode() + key], [self._prefix + INTENT])
        return value

    async def close(self) -> None:
        await self._redis.aclose()
        await self._redis.connection_pool.disconnect()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except RedisError as error:
            raise StateUnavailable(f"{self._name}: {str(error) or type(error).__name__}") from error


def spelt(write: Write) -> tuple[str | float, ...]:
    """As the script reads it."""
    match write:
        case Set():
            return "set", write.key, write.value, ""
        case Drop():
            return "drop", write.key, "", ""
        case Append():
            return "append", write.key, write.value, ""
        case Score():
            return "fleeting" if write.is_fleeting else "score", write.key, write.member, write.at
