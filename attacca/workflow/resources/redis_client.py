"""Redis as resources speak to it: a connection that is made when it is needed, and again when it was lost."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import unquote

from attacca.errors import BadConfig, BadRequest, Unreachable
from attacca.workflow.resources.network import addresses, library, parsed, persist
from attacca.workflow.resources.types import Host

T = TypeVar("T")
SCHEMES = ("redis", "rediss")
ANSWER_S = 5.0


class RedisClient:
    """`redis://USER:PASSWORD@HOST:PORT/NUMBER`; with `rediss` over TLS."""

    def __init__(self, url: str, host: Host, of: str) -> None:
        self._url, self._host, self._of = parsed(url, SCHEMES, of), host, of
        number = self._url.path.strip("/")
        if number and not (number.isascii() and number.isdigit() and len(number) < 4):
            raise BadConfig(f"the url of a {of} ends in {number[:20]!r}", "it may end in the number of a database")
        self._database = int(number or 0)
        self._client: Any = None
        self._count = 0

    def __repr__(self) -> str:
        return f"<RedisClient {self._count} asked>"

    async def open(self) -> None:
        """
        Raises:
            Unreachable: nothing answers.
            Forbidden: the host is not for resources.
            RuntimeMissing: what speaks to Redis is not installed.
        """
        await self.connect()
        await self._once(lambda client: client.ping())

    async def connect(self) -> Any:
        """The library's own."""
        if self._client is None:
            library("redis", self._of, "redis")
            from redis.asyncio import Redis

            url, name, port = self._url, self._url.hostname or "", self._url.port or 6379
            found = await addresses(name, port, self._host.reach)
            has_tls = url.scheme == "rediss"
            self._client = Redis(
                host=name if has_tls else found[0], port=port, db=self._database, ssl=has_tls,
                username=unquote(url.username) if url.username else None,
                password=unquote(url.password) if url.password else None,
                socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S,
            )  # fmt: skip
        return self._client

    async def ask(self, question: Callable[[Any], Awaitable[T]]) -> T:
        """For questions that may be asked twice: where the answer is lost, they are.

        Raises:
            Unreachable: nothing answers.
            BadRequest: it refuses.
        """
        return await persist(lambda: self._once(question), self._host)

    async def ask_once(self, question: Callable[[Any], Awaitable[T]]) -> T:
        """For those that may not be asked twice: somebody answers before, and an answer that is lost is lost.

        Raises:
            Unreachable: nothing answers.
            BadRequest: it refuses.
        """
        await self.ask(lambda client: client.ping())
        return await self._once(question)

    async def _once(self, question: Callable[[Any], Awaitable[T]]) -> T:
        from redis.exceptions import ConnectionError as Lost
        from redis.exceptions import RedisError
        from redis.exceptions import TimeoutError as Late

        client = await self.connect()
        self._count += 1
        try:
            return await question(client)
        except (Lost, Late, OSError) as error:
            where = f"{self._url.hostname}:{self._url.port or 6379}"
            raise Unreachable(f"Redis at {where} does not answer: {error}", "see whether it is up") from None
        except RedisError as error:
            raise BadRequest(
                f"Redis refuses: {error}", "see whether the key is of that kind, and the user may"
            ) from None

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
