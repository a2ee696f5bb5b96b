"""The link as a stream of bytes: an asyncio protocol, for any transport there is.

Who dials says Hello first, and is told nothing before it has shown the key. What is no message, is too large or comes
from somebody else ends the link; the peer is told why, as far as it still listens.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any, cast

from attacca.errors import BadRequest
from attacca.io.certificates import identities, identity
from attacca.io.wire.frames import HEAD, HELLO_BYTES, Codec, Goodbye, decode_hello, refusal
from attacca.io.wire.types import CUT, TOO_SLOW, Hello, Limits, Receiver

UNHEARD = "the peer closed it without a word; its log says why: it may want a certificate, or believe ours no more"
PLAIN = Codec(Hello, HELLO_BYTES)
LONG = 65_536  # bytes of a message that are not worth copying
GONE_MS = 3000  # what is sent is acknowledged within this time by the peer's kernel, however busy the peer is


class StreamLink(asyncio.Protocol):
    def __init__(
        self,
        receiver: Receiver[Any],
        hello: Hello,
        words: Any,
        limits: Limits | None = None,
        *,
        has_dialed: bool,
        admit: Callable[[Hello], Goodbye | None] | None = None,
    ) -> None:
        """`words`: the union of what the peer may send. `admit` says why a peer of the right kind is not taken."""
        self._receiver = receiver
        self._admit = admit
        self._receive: Callable[[Any], None]  # from when it has been told that it is open
        self._hello = hello
        self._has_dialed = has_dialed
        self._limits = limits or Limits()
        self._codec = Codec(words, self._limits.message_bytes)
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()  # of frames that are not whole, or that nobody wants now
        self._is_open = False
        self._is_over = False  # we have closed it, or refused it
        self._is_paused = False
        self._is_reading = False
        self._is_pressed = False  # more is unsent than `high_bytes`
        self._why = ""  # known before the transport says that it is gone
        self._timer: asyncio.TimerHandle | None = None
        self.is_left = False  # by us, who do not want it
        self.instead = ""  # where the peer that refused us has said to go
        self.on_begin: Callable[[StreamLink], None] = _nothing
        self.on_end: Callable[[StreamLink], None] = _nothing
        self.ended = asyncio.Event()
        self.received = 0

    @property
    def was_open(self) -> bool:
        return self._is_open

    def __repr__(self) -> str:
        is_opening = not (self._is_open or self._is_over)
        state = "closed" if self._is_over else "paused" if self._is_paused else "opening" if is_opening else "open"
        unsent = 0 if self._transport is None else self._transport.get_write_buffer_size()
        return f"<StreamLink {state}: {self.received} received, {len(self._buffer)} bytes half here, {unsent} unsent>"

    # What whoever has it does.

    def send(self, message: object) -> None:
        if self._is_over or not self._is_open:
            return
        head, payload = self._codec.frame(message)
        transport = self._transport
        assert transport is not None
        if len(payload) > LONG:
            transport.write(head)
            transport.write(payload)
        else:
            transport.write(head + payload)
        if self._is_pressed and transport.get_write_buffer_size() > self._limits.most_bytes:
            self._abort(TOO_SLOW)

    def pause(self) -> None:
        if not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._is_paused and self._transport is not None:
            self._is_paused = False
            if not self._is_over:
                self._transport.resume_reading()
            asyncio.get_running_loop().call_soon(self._read)

    def close(self, why: str) -> None:
        self.is_left = True
        self._leave(why, why)

    def refuse(self, why: str) -> None:
        """There was no connection for it."""
        self._is_over = True
        self._receiver.refused(why)
        self.ended.set()

    def cut(self) -> None:
        """Without another word, as a broken cable does."""
        self.is_left = True
        self._abort(CUT)

    # What the transport says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = joined = cast(asyncio.Transport, transport)
        self.on_begin(self)
        _watch_over(joined.get_extra_info("socket"))
        joined.set_write_buffer_limits(high=self._limits.high_bytes)
        if self._has_dialed:
            joined.write(PLAIN.encode(self._hello))
        self._timer = asyncio.get_running_loop().call_later(self._limits.hello_s, self._say_nothing_came)

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            self._buffer += data
            self._read()
        else:
            at = self._take_whole(data)
            if at < len(data):
                self._buffer += data[at:]

    def eof_received(self) -> None:
        """The other half is of no use without this one."""
        if not self._why:
            self._why = "the peer closed it in the middle of a frame" if self._buffer else self._closed()

    def connection_lost(self, error: Exception | None) -> None:
        self._stop_timer()
        is_new = not self._is_open
        self._is_over = True
        self._buffer.clear()
        self.ended.set()
        why = self._why or (f"the connection broke: {error}" if error is not None else self._closed())
        if is_new:
            self._receiver.refused(why)
        else:
            self._receiver.closed(self, why)
        self.on_end(self)

    def _closed(self) -> str:
        return "the peer closed it" if self._is_open or not self._has_dialed else UNHEARD

    def pause_writing(self) -> None:
        self._is_pressed = True
        if self._is_open:
            self._receiver.pressed(self, is_slow=True)

    def resume_writing(self) -> None:
        self._is_pressed = False
        if self._is_open and not self._is_over:
            self._receiver.pressed(self, is_slow=False)

    # Frames.

    def _read(self) -> None:
        if not self._is_reading:
            del self._buffer[: self._take_whole(self._buffer)]

    def _take_whole(self, data: bytes | bytearray) -> int:
        """All frames that are whole, one at a time, as long as somebody wants them; and where the rest begins."""
        at, end = 0, len(data)
        self._is_reading = True
        try:
            while end - at >= HEAD and not (self._is_paused or self._is_over):
                size = int.from_bytes(data[at : at + HEAD], "big")
                if size > (self._limits.message_bytes if self._is_open else HELLO_BYTES):
                    raise BadRequest(f"sent a frame of {size} bytes")
                start = at + HEAD
                if end - start < size:
                    break
                at = start + size
                self._take(data[start:at])
        except BadRequest as error:
            self._leave(f"the peer {error.message}", f"the peer {error.message}")
        finally:
            self._is_reading = False
        return at

    def _take(self, payload: bytes | bytearray) -> None:
        if not self._is_open:
            self._open(payload)
            return
        message = self._codec.decode(payload)
        if type(message) is Goodbye:
            self._abort(f"the peer closed it: {message.why}")
        else:
            self.received += 1
            self._receive(message)

    def _open(self, payload: bytes | bytearray) -> None:
        word = decode_hello(payload)
        if type(word) is Goodbye:
            self.instead = word.instead
            self._abort(f"the peer closed it: {word.why}")
            return
        assert isinstance(word, Hello)
        why = refusal(self._hello, word) or self._misnamed(word)
        if why:
            raise BadRequest(why)
        goodbye = None if self._admit is None else self._admit(word)
        if goodbye is not None:
            self._leave(goodbye.why, goodbye.why, goodbye.instead)
            return
        self._stop_timer()
        self._is_open = True
        if not self._has_dialed and self._transport is not None:
            self._transport.write(PLAIN.encode(self._hello))
        self._receive = self._receiver.opened(self, word)

    def _misnamed(self, hello: Hello) -> str:
        """Why it is not who it says it is; only where there are certificates."""
        shown = None if self._transport is None else self._transport.get_extra_info("peercert")
        if not shown or identity(hello.plane, hello.name) in identities(shown):
            return ""
        names = ", ".join(sorted(identities(shown))) or "nobody"
        return f"says that it is {hello.plane} {hello.name!r}, and shows the certificate of {names}"

    # The end.

    def _leave(self, why: str, told: str, instead: str = "") -> None:
        """What was written goes out first, if somebody takes it."""
        if self._is_over or self._transport is None:
            return
        self._is_over, self._why = True, why
        self._stop_timer()
        self._transport.write(PLAIN.encode(Goodbye(told[: HELLO_BYTES // 8], instead)))
        self._transport.close()
        self._timer = asyncio.get_running_loop().call_later(self._limits.linger_s, self._transport.abort)

    def _abort(self, why: str) -> None:
        if self._transport is not None and not self._is_over:
            self._is_over, self._why = True, why
            self._transport.abort()

    def _say_nothing_came(self) -> None:
        self._abort(f"the peer did not say who it is within {self._limits.hello_s:g} s")

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def only(peer: str) -> Callable[[Hello], Goodbye | None]:
    """For whoever dials one peer: another that is found there is not taken, also where it shows that it is that."""

    def admit(hello: Hello) -> Goodbye | None:
        return None if hello.name == peer else Goodbye(f"{peer!r} was dialed, and this is {hello.plane} {hello.name!r}")

    return admit


def _watch_over(connection: socket.socket | None) -> None:
    """A peer whose machine or cable is gone is missed within seconds, also by a side that has nothing to say."""
    if connection is not None and connection.family in (socket.AF_INET, socket.AF_INET6):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, GONE_MS)


def _nothing(_: StreamLink) -> None:
    """Nobody counts them."""
