"""HTTP as resources speak it: one request at a time, an answer that is bounded, and no host that is not for them."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from attacca.errors import BadConfig, FunctionFailed, ResponseTooLarge, Unreachable
from attacca.model.events import EVENT_BYTES
from attacca.workflow.resources.network import addresses, library
from attacca.workflow.resources.types import Host

if TYPE_CHECKING:
    import aiohttp

PORTS = {"http": 80, "https": 443}


class Answer(msgspec.Struct, frozen=True):
    status: int
    headers: dict[str, str]
    body: bytes


class HttpClient:
    def __init__(self, host: Host, of: str) -> None:
        self._reach, self._of = host.reach, of
        self._session: aiohttp.ClientSession | None = None
        self._count = 0

    def __repr__(self) -> str:
        return f"<HttpClient {self._count} requests>"

    def open(self) -> None:
        """
        Raises:
            RuntimeMissing: what speaks HTTP is not installed.
        """
        http = library("aiohttp", self._of, "http")
        self._session = http.ClientSession(
            connector=http.TCPConnector(resolver=self, use_dns_cache=False), cookie_jar=http.DummyCookieJar()
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """
        Raises:
            Unreachable: there is nobody, and nothing was sent.
            FunctionFailed: there is no answer.
            Forbidden: the host is not for resources.
            ResponseTooLarge: the answer is no event.
            BadConfig: that is no URL.
        """
        session = self._session
        assert session is not None, "it is open"
        http = library("aiohttp", self._of, "http")
        self._count += 1
        try:
            where = http.client.URL(url)
            if where.host is not None:  # the resolver is not asked for what is an address already
                await addresses(where.host, where.port or 0, self._reach)
            request = session.request(method, where, headers=headers, data=body or None, allow_redirects=False)
            async with request as response:
                data = await response.content.read(EVENT_BYTES + 1)
                while len(data) <= EVENT_BYTES and not response.content.at_eof():
                    data += await response.content.read(EVENT_BYTES + 1 - len(data))
                if len(data) > EVENT_BYTES:
                    raise ResponseTooLarge(f"the answer of {where.host} is over {EVENT_BYTES >> 20} MB")
                return Answer(response.status, {key.lower(): value for key, value in response.headers.items()}, data)
        except http.ClientConnectorError as error:
            raise Unreachable(
                f"{where.scheme}://{where.host} is not reached: {error}", "see whether it is up"
            ) from None
        except (http.ClientError, OSError) as error:
            why = str(error) or type(error).__name__
            raise FunctionFailed(
                f"{where.scheme}://{where.host} does not answer: {why}", "it may have been carried out"
            ) from None
        except ValueError as error:
            raise BadConfig(f"{url[:200]!r} is no URL: {error}", "write http://HOST/PATH") from None

    # As the library asks for addresses.

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[dict[str, Any]]:
        found = await addresses(host, port, self._reach)
        return [
            {
                "hostname": host, "host": one, "port": port, "proto": 0, "flags": socket.AI_NUMERICHOST,
                "family": socket.AF_INET6 if ":" in one else socket.AF_INET,
            }
            for one in found
        ]  # fmt: skip
