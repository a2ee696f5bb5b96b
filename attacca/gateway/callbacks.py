"""Sends the answer of a call to the address that its caller named, if that is one that may be sent to.

Who may call a function may not make this server knock at doors inside its network. A name is resolved once, each of its
addresses must be a public one or of a network in the settings, and the connection goes to an address that was checked:
a name that means another address a moment later gains nothing. Redirects are not followed.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from attacca.errors import BadRequest
from attacca.model.async_call import Record
from attacca.model.invocation import Failed, FunctionError, Ok

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
URL_MOST = 2048
STATUS_LINE_MOST = 1024
PORTS = {"http": 80, "https": 443}


class PostTarget(NamedTuple):
    scheme: str
    host: str  # a name or an address, as it is resolved
    port: int
    authority: str  # for the Host header
    path: str


class NotAllowed(Exception):
    """No callback goes there, now or later."""


def parse(url: str) -> PostTarget:
    """
    Raises:
        BadRequest: it is no address that could be posted to.
    """
    hint = "send x-attacca-callback-url: https://HOST/PATH"
    if len(url) > URL_MOST or not url.isascii() or not url.isprintable() or " " in url:
        raise BadRequest(f"the callback URL is not at most {URL_MOST} visible characters", hint)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadRequest(f"the callback URL {url[:100]!r} is none", hint) from None
    if parts.scheme not in PORTS or not parts.hostname:
        raise BadRequest(f"the callback URL {url[:100]!r} has no http or https and a host", hint)
    if parts.username is not None or parts.password is not None:
        raise BadRequest("the callback URL has a name or a password in it, which would be kept", hint)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    authority = parts.netloc
    return PostTarget(parts.scheme, parts.hostname, port or PORTS[parts.scheme], authority, path)


class Callbacks:
    def __init__(self, networks: Sequence[str], timeout_s: float) -> None:
        """`networks`: those that may be posted to although they are not public."""
        self._networks: list[Network] = [ipaddress.ip_network(one, strict=False) for one in networks]
        self._timeout_s = timeout_s
        self._tls: ssl.SSLContext | None = None  # made for the first that needs it: it reads all authorities

    def __repr__(self) -> str:
        return f"<Callbacks {len(self._networks)} networks beside the public ones, {self._timeout_s:g} s>"

    def expect(self, url: str) -> None:
        """What can be said of it before it is resolved.

        Raises:
            BadRequest: nothing will be posted there.
        """
        target = parse(url)
        try:
            address = ipaddress.ip_address(target.host)
        except ValueError:
            return
        if not self.allows(address):
            raise BadRequest(f"no callback goes to {target.host}", HINT)

    def allows(self, address: Address) -> bool:
        if isinstance(address, ipaddress.IPv6Address):
            inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
            if inner is not None:
                return self.allows(inner)
            if address in NAT64:
                return self.allows(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if any(address in one for one in self._networks if one.version == address.version):
            return True
        return address.is_global and not (address.is_multicast or address.is_reserved)

    async def post(self, record: Record) -> str:
        """Empty when it was taken, else why it was not.

        Raises:
            NotAllowed: and never will be.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._post(record)
        except TimeoutError:
            return f"no answer within {self._timeout_s:g} s"
        except (OSError, ssl.SSLError, ValueError) as error:
            return str(error) or type(error).__name__

    async def _post(self, record: Record) -> str:
        target = parse(record.call.callback)
        address = await self._resolve(target)
        if target.scheme == "https" and self._tls is None:
            self._tls = ssl.create_default_context()
        context = self._tls if target.scheme == "https" else None
        name = target.host if context is not None else None
        reader, writer = await asyncio.open_connection(address, target.port, ssl=context, server_hostname=name)
        try:
            writer.writelines(message(target, record))
            await writer.drain()
            line = await reader.readuntil(b"\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return "it answered with something that is no HTTP"
        finally:
            writer.transport.abort()
        return refused(line)

    async def _resolve(self, target: PostTarget) -> str:
        """The first of its addresses, if all of them may be posted to."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]) for entry in found]
        for one in addresses:
            if not self.allows(ipaddress.ip_address(one.partition("%")[0])):
                raise NotAllowed(f"{target.host} is {one}, and no callback goes there; {HINT}")
        if not addresses:
            raise OSError(f"{target.host} has no address")
        return addresses[0]


NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
HINT = "only public addresses are posted to, and those in the setting gateway.async.callback_networks"


def refused(line: bytes) -> str:
    """What a status line says against its having been taken."""
    words = line[:STATUS_LINE_MOST].split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        return "it answered with something that is no HTTP"
    return "" if words[1].startswith(b"2") else f"it answered {words[1].decode()}"


def message(target: PostTarget, record: Record) -> tuple[bytes, bytes]:
    """Head and body of the POST: the function's answer, and beside it whose that is."""
    call, outcome = record.call, record.outcome
    status, kind, body = "", "application/json", b""
    match outcome:
        case Ok():
            status, body = str(outcome.status), outcome.body
            kind = outcome.content_type or _kind(outcome) or "application/octet-stream"
        case FunctionError() | Failed():
            status, body = "500", _error(outcome)
        case None:
            status = "500"
    fields = [
        f"POST {target.path} HTTP/1.1", f"host: {target.authority}", "user-agent: attacca", "connection: close",
        f"content-length: {len(body)}", f"content-type: {kind}", f"x-attacca-call-id: {call.id}",
        f"x-attacca-function: {call.function}", f"x-attacca-state: {call.state.value}",
        f"x-attacca-function-status: {status}", f"x-attacca-attempts: {call.attempts}",
    ]  # fmt: skip
    head = "\r\n".join(field.replace("\r", "").replace("\n", "") for field in fields)
    return head.encode("latin-1", "replace") + b"\r\n\r\n", body


def _kind(outcome: Ok) -> str:
    return next((value.decode("latin-1") for name, value in outcome.headers if name.lower() == b"content-type"), "")


def _error(outcome: FunctionError | Failed) -> bytes:
    code = outcome.code if isinstance(outcome, Failed) else "function_error"
    return msgspec.json.encode({"error": {"code": code, "message": outcome.message}})
