"""Links over real sockets: conformance, TLS, and who is turned away."""

import asyncio
import datetime
import ipaddress
import ssl
from pathlib import Path
from typing import Any

import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from attacca.io.wire.conformance import LEFT, RIGHT, SMALL, Recorder, Word, check_link
from attacca.io.wire.strangers import Hand, check_bytes
from attacca.io.wire.stream import StreamLink
from attacca.io.wire.tcp import Dialer, Listener
from attacca.io.wire.types import Hello, Limits, Receiver

HOST = "127.0.0.1"


class TcpJoint:
    contexts: tuple[ssl.SSLContext | None, ssl.SSLContext | None] = (None, None)  # of who listens, and who dials

    def __init__(
        self, left: Receiver[Any], left_hello: Hello, right: Receiver[Any], right_hello: Hello, limits: Limits
    ) -> None:
        self._accepted: list[StreamLink] = []
        self._right = right, right_hello, Word, limits
        self.listener = Listener(self._accept)
        self._dialing = left, left_hello, Word, limits
        self.dialer: Dialer | None = None

    def _accept(self) -> StreamLink:
        self._accepted.append(StreamLink(*self._right, has_dialed=False))
        return self._accepted[-1]

    async def open(self) -> None:
        await self.listener.open(HOST, 0, self.contexts[0])
        self.dialer = Dialer(
            lambda: StreamLink(*self._dialing, has_dialed=True), [(HOST, self.listener.port)], self.contexts[1]
        )
        self.dialer.open()

    async def cut(self) -> None:
        self._accepted[-1].cut()

    async def mend(self) -> None:
        """It mends by itself."""

    async def close(self) -> None:
        assert self.dialer is not None
        await self.dialer.close("done")
        await self.listener.close("done")


async def over_tcp(*sides: Any) -> TcpJoint:
    joint = TcpJoint(*sides)
    await joint.open()
    return joint


def certificate(path: Path) -> None:
    """One for both sides, with its key, as an authority of one's own would give it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "attacca")])
    begin = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, begin, begin + datetime.timedelta(days=36_500))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), False)  # noqa: FBT003 - theirs
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))


def mutual(path: Path, purpose: ssl.Purpose) -> ssl.SSLContext:
    context = ssl.create_default_context(purpose, cafile=str(path))
    context.load_cert_chain(path)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


class SocketHand:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener: Listener) -> None:
        self._reader, self._writer, self._listener = reader, writer, listener

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def write_eof(self) -> None:
        if not self._writer.is_closing():
            self._writer.write_eof()

    async def read(self) -> bytes:
        came = bytearray()
        try:
            while piece := await self._reader.read(65_536):
                came += piece
        except ConnectionError:
            pass
        self._writer.close()
        await self._listener.close("done")
        return bytes(came)


async def dial(receiver: Receiver[Any], hello: Hello, limits: Limits) -> Hand:
    listener = Listener(lambda: StreamLink(receiver, hello, Word, limits, has_dialed=False))
    await listener.open(HOST, 0)
    return SocketHand(*await asyncio.open_connection(HOST, listener.port), listener)


def test_a_link_over_tcp_does_what_a_link_does() -> None:
    uvloop.run(check_link(over_tcp))


def test_a_link_over_mutual_tls_does_what_a_link_does(tmp_path: Path) -> None:
    certificate(tmp_path / "own.pem")
    purposes = ssl.Purpose.CLIENT_AUTH, ssl.Purpose.SERVER_AUTH

    class TlsJoint(TcpJoint):
        contexts = tuple(mutual(tmp_path / "own.pem", purpose) for purpose in purposes)  # type: ignore[assignment]

    async def over_tls(*sides: Any) -> TcpJoint:
        joint = TlsJoint(*sides)
        await joint.open()
        return joint

    uvloop.run(check_link(over_tls))


def test_whatever_bytes_come_over_tcp_are_received_or_refused() -> None:
    uvloop.run(check_bytes(dial))


def test_who_dials_before_anybody_listens_is_joined_when_somebody_does() -> None:
    async def main() -> None:
        left, right = Recorder(), Recorder()
        listener = Listener(lambda: StreamLink(right, RIGHT, Word, SMALL, has_dialed=False))
        await listener.open(HOST, 0)
        port = listener.port
        await listener.close("not yet")
        dialer = Dialer(lambda: StreamLink(left, LEFT, Word, SMALL, has_dialed=True), [(HOST, port)])
        dialer.open()
        await left.until(lambda one: len(one.refusals) >= 2)
        assert "cannot be reached" in left.refusals[0]
        await listener.open(HOST, port)
        await left.until(lambda one: one.links != [])
        assert repr(listener) == f"<Listener port {port}: 1 of 1024 connections>"
        assert repr(dialer).startswith(f"<Dialer {HOST}:{port}: {dialer.attempts} attempts, <StreamLink open: ")
        await dialer.close("done")
        await right.until(lambda one: one.ends != [])
        await listener.close("done")

    uvloop.run(main())


def test_there_are_no_more_connections_than_allowed() -> None:
    async def main() -> None:
        right = Recorder()
        listener = Listener(lambda: StreamLink(right, RIGHT, Word, SMALL, has_dialed=False), most=1)
        await listener.open(HOST, 0)
        first = await asyncio.open_connection(HOST, listener.port)
        second = await asyncio.open_connection(HOST, listener.port)
        assert await _rest(second[0]) == b""
        for _, writer in (first, second):
            writer.close()
        await listener.close("done")

    uvloop.run(main())


async def _rest(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionError:
        return b""
