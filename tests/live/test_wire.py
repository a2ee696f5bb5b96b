"""Links over real sockets: conformance, TLS, and who is turned away."""

import asyncio
import shutil
import socket
import ssl
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvloop

from attacca.io.certificates import AUTHORITY, OWN, Certificates, make_authority, make_plane
from attacca.io.wire.conformance import LEFT, RIGHT, SMALL, Recorder, Word, check_link
from attacca.io.wire.strangers import Hand, check_bytes
from attacca.io.wire.stream import StreamLink, only
from attacca.io.wire.tcp import Dialer, Dialers, Listener
from attacca.io.wire.types import Hello, Limits, Receiver
from attacca.kernel.clock import SystemClock

HOST = "127.0.0.1"


class TcpJoint:
    contexts: tuple[ssl.SSLContext | None, ssl.SSLContext | None] = (None, None)  # of who listens, and who dials
    beside: Path | None = None

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
        await self.listener.open(HOST, 0, self.contexts[0], self.beside)
        self.dial()

    def dial(self) -> None:
        self.dialer = Dialer(
            lambda: StreamLink(*self._dialing, has_dialed=True),
            [(HOST, self.listener.port)],
            self.contexts[1],
            beside=self.beside,
        )
        self.dialer.open()

    @property
    def family(self) -> int:
        """Of the sockets that joined them last."""
        transport = self._accepted[-1]._transport
        assert transport is not None
        return int(transport.get_extra_info("socket").family)

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


def test_a_link_over_tcp_does_what_a_link_does() -> None:
    uvloop.run(check_link(over_tcp))


async def beside(directory: Path, *sides: Any) -> TcpJoint:
    joint = TcpJoint(*sides)
    joint.beside = directory
    await joint.open()
    return joint


def test_those_beside_each_other_are_linked_just_so(tmp_path: Path) -> None:
    uvloop.run(check_link(partial(beside, tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_those_beside_each_other_need_no_network(tmp_path: Path) -> None:
    async def main() -> None:
        families = []
        for is_left_behind in (False, True):
            left, right = Recorder(), Recorder()
            joint = TcpJoint(left, LEFT, right, RIGHT, SMALL)
            joint.beside = tmp_path
            await joint.listener.open(HOST, 0, None, None if is_left_behind else tmp_path)
            if is_left_behind:
                with socket.socket(socket.AF_UNIX) as killed:
                    killed.bind(str(tmp_path / f"{HOST}:{joint.listener.port}"))
            joint.dial()
            await left.until(lambda one: one.links != [])
            families.append(joint.family)
            await joint.close()
        assert families == [socket.AF_UNIX, socket.AF_INET]
        nowhere = Listener(pytest.fail)
        await nowhere.open(HOST, 0, beside=tmp_path / "missing")
        assert nowhere.port, "where there can be no socket, there is TCP"
        await nowhere.close("done")

    uvloop.run(main())


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


def shown_by(directory: Path, hello: Hello) -> Certificates:
    """Signed by the authority there, which is made for the first."""
    if not (directory / AUTHORITY).exists():
        make_authority(directory, SystemClock().wall())
    out = directory / f"{hello.plane}-{hello.name}"
    return Certificates(make_plane(directory, hello.plane, hello.name, out, SystemClock().wall()))


def test_a_link_over_mutual_tls_does_what_a_link_does(tmp_path: Path) -> None:
    async def over_tls(left: Any, left_hello: Hello, right: Any, right_hello: Hello, limits: Limits) -> TcpJoint:
        joint = TcpJoint(left, left_hello, right, right_hello, limits)
        joint.contexts = shown_by(tmp_path, right_hello).to_listen, shown_by(tmp_path, left_hello).to_dial
        await joint.open()
        return joint

    uvloop.run(check_link(over_tls))


def tried(listening: Certificates, dialing: Certificates, hello: Hello) -> list[str]:
    """Why a link from one to the other was refused where it is listened for; nothing: it was not."""

    async def main() -> list[str]:
        left, right = Recorder(), Recorder()
        joint = TcpJoint(left, hello, right, RIGHT, SMALL)
        joint.contexts = listening.to_listen, dialing.to_dial
        await joint.open()
        await right.until(lambda one: one.links != [] or one.refusals != [])
        await joint.close()
        return right.refusals

    return uvloop.run(main())


def test_who_shows_no_certificate_of_the_cluster_or_that_of_another_is_refused_and_told_of(tmp_path: Path) -> None:
    ours, right = shown_by(tmp_path, LEFT), shown_by(tmp_path, RIGHT)
    assert tried(right, ours, LEFT) == []
    forged = shown_by(tmp_path / "forger", LEFT)
    shutil.copy(tmp_path / AUTHORITY, forged.directory / AUTHORITY)
    [why, *_] = tried(right, Certificates(forged.directory), LEFT)
    assert "127.0.0.1 has shown no certificate that is good here" in why
    [why, *_] = tried(right, shown_by(tmp_path, Hello("gateway", "other")), LEFT)
    assert "says that it is gateway 'left', and shows the certificate of attacca://gateway/other" in why


def test_certificates_are_renewed_without_a_restart(tmp_path: Path) -> None:
    now = SystemClock().wall()
    right, left = shown_by(tmp_path, RIGHT), shown_by(tmp_path, LEFT)
    make_authority(tmp_path, now, renew=True)
    make_plane(tmp_path, RIGHT.plane, RIGHT.name, right.directory, now)
    right.renew()
    assert (right.reads, left.reads) == (2, 1)
    assert tried(right, left, LEFT) != [], "who has not heard of the new authority does not believe its certificates"
    make_plane(tmp_path, LEFT.plane, LEFT.name, left.directory, now)
    left.renew()
    assert tried(right, left, LEFT) == []
    (left.directory / OWN).write_text("nonsense")
    left.renew()
    assert tried(right, left, LEFT) == [], "what cannot be read is not used"
    assert repr(left) == f"<Certificates {left.directory}: read 2 times>"


def test_who_dials_is_not_joined_to_another_than_was_meant_and_tries_again_later_and_later() -> None:
    async def main() -> None:
        left, right = Recorder(), Recorder()
        listener = Listener(lambda: StreamLink(right, RIGHT, Word, SMALL, has_dialed=False))
        await listener.open(HOST, 0)
        dialer = Dialer(
            lambda: StreamLink(left, LEFT, Word, SMALL, has_dialed=True, admit=only("other")), [(HOST, listener.port)]
        )
        dialer.open()
        await left.until(lambda one: len(one.refusals) >= 3)
        assert set(left.refusals) == {f"'other' was dialed, and this is {RIGHT.plane} {RIGHT.name!r}"}
        assert dialer.attempts >= 3, "each makes the next pause longer"
        assert left.links == []
        await dialer.close("done")
        await listener.close("done")

    uvloop.run(main())


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


def test_whoever_dials_several_says_how_many() -> None:
    async def main() -> None:
        left, right = Recorder(), Recorder()
        listener = Listener(lambda: StreamLink(right, RIGHT, Word, SMALL, has_dialed=False))
        await listener.open(HOST, 0)
        dialers = Dialers(lambda _: StreamLink(left, LEFT, Word, SMALL, has_dialed=True))
        dialers.dial("right", (HOST, listener.port))
        await right.until(lambda one: one.links != [])
        assert repr(dialers) == "<Dialers 1 peers, 0 closing>"
        dialers.hang_up("right", "done")
        assert repr(dialers) == "<Dialers 0 peers, 1 closing>"
        await dialers.close("done")
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
