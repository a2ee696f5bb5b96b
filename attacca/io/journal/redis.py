"""A journal on a Redis server, shared by the gateways of several machines: see `scripts` for what lies where.

What is open is in a stream with a consumer group, whose consumers are gateways: what one of them was given stays its
own until it is over, or until its lease is, and another claims it. Writes that come while others are on their way go
in one pipeline after them.
"""

import asyncio
import logging
from typing import Any, Self

import msgspec
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as LostConnection
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as LateConnection

from attacca.errors import StateUnavailable, StateUncertain
from attacca.io.journal import scripts
from attacca.io.journal.memory import GONE, STORED, cancelled, keeps_request, revived
from attacca.io.journal.types import Amount, Told
from attacca.io.store.address import Address
from attacca.io.store.redis import pool
from attacca.model.async_call import (
    Accept,
    Advance,
    AsyncCall,
    Cancel,
    Delete,
    Gone,
    Mark,
    Record,
    Repeated,
    Result,
    Revive,
    State,
    Unwritten,
    Update,
    Write,
)
from attacca.model.invocation import Outcome, Request

LOG = logging.getLogger("attacca.async")
BATCH = 200  # writes that go into one pipeline
PAGE = 200  # calls that are looked through at once
SWEPT = 1000
ENCODER = msgspec.msgpack.Encoder()
CALL = msgspec.msgpack.Decoder(AsyncCall)
REQUEST = msgspec.msgpack.Decoder(Request)
OUTCOME: msgspec.msgpack.Decoder[Outcome] = msgspec.msgpack.Decoder(Outcome)


class RedisJournal:
    """Its leases go by the server's own clock, so that those of the gateways' machines need not agree."""

    def __init__(self, address: Address, owner: str, timeout_s: float) -> None:
        self.name = str(address)
        self._prefix = f"{address.prefix}:async"
        self._owner = owner
        self._redis = Redis(connection_pool=pool(address, timeout_s), decode_responses=False)
        self._scripts = {
            kind: self._redis.register_script(text)
            for kind, text in (
                (Accept, scripts.ACCEPT), (Update, scripts.UPDATE), (Cancel, scripts.CANCEL), (Revive, scripts.REVIVE),
                (Delete, scripts.DELETE), (Advance, scripts.ADVANCE),
            )
        }  # fmt: skip
        self._claim_script = self._redis.register_script(scripts.CLAIM)
        self._sweep_script = self._redis.register_script(scripts.SWEEP)
        self._waiting: list[tuple[Write, Told]] = []
        self._writing: asyncio.Task[None] | None = None
        self._is_closed = self._is_prepared = False
        self._is_unsure = False  # something may have been written of which it was said that it was not

    def __repr__(self) -> str:
        return f"<RedisJournal {self.name}: {len(self._waiting)} writes wait>"

    @classmethod
    async def open(cls, address: Address, owner: str, timeout_s: float) -> Self:
        """Also while the server is away: a gateway has other work than this.

        Raises:
            BadConfig: files for TLS are none.
        """
        journal = cls(address, owner, timeout_s)
        try:
            await journal._prepare()
        except StateUnavailable as error:
            LOG.warning("%s; until it is there, no asynchronous call is accepted", error.message)
        return journal

    async def _prepare(self) -> None:
        """The group has to be there before anything is claimed or accepted."""
        try:
            await self._redis.xgroup_create(self._at("open"), "gateways", id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise self._translated(error) from error
        except RedisError as error:
            raise self._translated(error) from error
        self._is_prepared = True

    def write(self, write: Write, told: Told) -> None:
        if self._is_closed:
            ended = StateUnavailable(f"{self.name} is closed", "the server is shutting down")
            asyncio.get_running_loop().call_soon(told, Unwritten(ended))
            return
        self._waiting.append((write, told))
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write_all())

    async def _write_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            results = await self._write([write for write, _ in batch])
            for (_, told), result in zip(batch, results, strict=True):
                told(result)
        self._writing = None

    async def _write(self, writes: list[Write]) -> list[Result]:
        """In their order; those that must be read first go by themselves."""
        results: list[Result] = []
        together: list[Write] = []
        for write in writes:
            if isinstance(write, Cancel | Revive):
                results += await self._send(together)
                together = []
                results.append(await self._change(write))
            else:
                together.append(write)
        return results + await self._send(together)

    async def _send(self, writes: list[Write]) -> list[Result]:
        if not writes:
            return []
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for write in writes:
                    await self._scripts[type(write)](args=self._arguments(write), client=pipeline)
                answers = await pipeline.execute(raise_on_error=False)
        except RedisError as error:
            self._is_unsure = True
            return [Unwritten(self._translated(error))] * len(writes)
        return [self._result(answer) for answer in answers]

    async def _change(self, write: Cancel | Revive) -> Result:
        try:
            while True:
                before = await self._given(self._redis.hget(self._place(write.id), "call"))
                if before is None:
                    return GONE
                call = CALL.decode(before)
                if isinstance(write, Cancel):
                    if call.state is not State.WAITING:
                        return Gone(call)
                    after = cancelled(call, write)
                    told: list[Any] = [write.id, after.state.value, after.at, after.expires_at, before]
                else:
                    if call.state is not State.DEAD or call.is_open:
                        return Gone(call)
                    after = revived(call, write)
                    told = [write.id, after.state.value, after.at, before]
                answer = await self._scripts[type(write)](args=[*self._mine(), *told, ENCODER.encode(after)])
                if answer[0] != b"changed":
                    return self._result(answer)
        except RedisError as error:
            return Unwritten(self._translated(error))

    def _arguments(self, write: Write) -> list[Any]:
        match write:
            case Accept(call=call, request=request, mark=mark):
                marked: list[Any] = ["", "", ""] if mark is None else [mark.name, repr(mark.due), mark.missed]
                blobs = ENCODER.encode(call), ENCODER.encode(request)
                return [*self._mine(), call.id, call.state.value, call.at, call.key, *blobs, *marked]
            case Update(call=call, outcome=outcome):
                blob = b"" if outcome is None else ENCODER.encode(outcome)
                told = call.id, call.state.value, call.at, int(call.is_open), call.expires_at, ENCODER.encode(call)
                return [*self._mine(), *told, int(keeps_request(call)), blob]
            case Delete(id=call_id, open=may_be_open):
                return [*self._mine(), call_id, int(may_be_open)]
            case Advance(mark=mark):
                return [*self._mine(), mark.name, repr(mark.due), mark.missed]
            case Cancel() | Revive():
                raise AssertionError("they are read first")

    def _result(self, answer: Any) -> Result:
        if isinstance(answer, RedisError):
            return Unwritten(self._translated(answer))
        match answer:
            case [b"stored"]:
                return STORED
            case [b"repeated", call, request, outcome]:
                return Repeated(_record(call, request, outcome))
            case [b"gone", bytes() as call]:
                return Gone(CALL.decode(call))
            case _:
                return GONE

    async def find(self, call: str) -> Record | None:
        asked = self._redis.hmget(self._place(call), ["call", "request", "outcome"])
        found, request, outcome = await self._read(asked)
        return None if found is None else _record(found, request, outcome)

    async def latest(self, state: State | None, function: str | None, limit: int) -> list[AsyncCall]:
        place, calls, start = self._at(f"by:{'all' if state is None else state.value}"), list[AsyncCall](), 0
        while len(calls) < limit:
            page = await self._read(self._redis.zrevrange(place, start, start + PAGE - 1))
            if not page:
                break
            start += PAGE
            pipeline = self._redis.pipeline(transaction=False)
            for one in page:
                pipeline.hget(self._place(one.decode()), "call")
            known = [CALL.decode(blob) for blob in await self._read(pipeline.execute()) if blob is not None]
            calls += [call for call in known if function in (None, call.function)]
        return calls[:limit]

    async def claim(self, lease_s: float, limit: int) -> list[AsyncCall]:
        if not self._is_prepared:
            await self._prepare()
        told: list[Any] = [*self._mine(), round(lease_s * 1000), limit, int(self._is_unsure)]
        blobs = await self._read(self._claim_script(args=told))
        self._is_unsure = False
        return [CALL.decode(blob) for blob in blobs]

    async def leave(self) -> None:
        await self._read(self._redis.delete(self._at(f"owner:{self._owner}")))

    async def marks(self) -> dict[str, Mark]:
        dues = await self._read(self._redis.hgetall(self._at("marks")))
        missed = await self._read(self._redis.hgetall(self._at("missed")))
        return {name.decode(): Mark(name.decode(), float(due), int(missed.get(name, 0))) for name, due in dues.items()}

    async def sweep(self, now: float, bytes_most: int) -> int:
        told: list[Any] = [*self._mine(), repr(now), bytes_most, SWEPT]
        return int(await self._read(self._sweep_script(args=told)))

    async def amount(self) -> Amount:
        pipeline = self._redis.pipeline(transaction=False)
        for state in State:
            pipeline.zcard(self._at(f"by:{state.value}"))
        pipeline.get(self._at("bytes"))
        waiting, done, dead, over, size = await self._read(pipeline.execute())
        return Amount(waiting, done, dead, over, int(size or 0))

    async def close(self) -> None:
        self._is_closed = True
        if self._writing is not None:
            await self._writing
        await self._redis.aclose()
        await self._redis.connection_pool.disconnect()

    def _at(self, kind: str) -> str:
        return f"{self._prefix}:{kind}"

    def _place(self, call: str) -> str:
        return f"{self._prefix}:call:{call}"

    def _mine(self) -> tuple[str, str]:
        return self._prefix, self._owner

    async def _given(self, asked: Any) -> Any:
        return await asked

    async def _read(self, asked: Any) -> Any:
        try:
            return await asked
        except RedisError as error:
            raise self._translated(error) from error

    def _translated(self, error: RedisError) -> StateUnavailable:
        kind = StateUncertain if isinstance(error, LostConnection | LateConnection) else StateUnavailable
        return kind(f"{self.name}: {str(error) or type(error).__name__}")


def _record(call: bytes, request: bytes | None, outcome: bytes | None) -> Record:
    return Record(
        CALL.decode(call),
        None if request is None else REQUEST.decode(request),
        None if outcome is None else OUTCOME.decode(outcome),
    )
