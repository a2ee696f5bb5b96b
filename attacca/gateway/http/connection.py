"""One client's connection: what the transport says goes to a reader, an exchange and a writer, one request at a time.

A whole request that arrives in one piece passes from the reader to the exchange, and nothing else is done. All other
bytes are held back here, and `_advance` takes of them what can be taken now: there a request's sender, its function
and the queue are looked at before its body is, and the body has to find room (see room).
"""

import asyncio
from typing import cast

from attacca.errors import AttaccaError, Overloaded
from attacca.gateway.http import response
from attacca.gateway.http.exchange import Exchange
from attacca.gateway.http.intake import too_slow
from attacca.gateway.http.peer_uid import Ends
from attacca.gateway.http.phases import ARRIVING, CLOSED, COLLECTING, IDLE, WAITING
from attacca.gateway.http.reader import HEAD, NOTHING, SLICE, Reader
from attacca.gateway.http.room import Room, overloaded
from attacca.gateway.http.server import HttpServer
from attacca.gateway.http.writer import Ending, Writer

TURNED_AWAY_MOST = 128  # connections that are told that they are one too many; more are just closed
HELD_MOST = 64 * 1024  # bytes held back before the socket is left unread


class Connection(asyncio.Protocol):
    transport: asyncio.Transport
    writer: Writer
    exchange: Exchange

    def __init__(self, server: HttpServer) -> None:
        self.server = server
        self.reader = Reader(server.max_head, server.heads, server.access.judge)
        self._slice = min(SLICE, server.max_head)
        self._held = bytearray()  # bytes that cannot be taken yet
        self._held_room: Room | None = None
        self._since = self._made_at = 0.0  # the coarse time of the last change, and of the first
        self._is_reading = True
        self._is_advancing = False
        self._has_more = False  # something waits, or is not complete: as of the last `_advance`
        self._has_peer_ended = False
        self._is_turned_away = False  # it is one too many

    def __repr__(self) -> str:
        return f"<Connection {len(self._held)} bytes held, {self.exchange!r}, {self.reader!r}, {self.writer!r}>"

    # What the transport says.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        server = self.server
        self.transport = cast(asyncio.Transport, transport)
        self.writer = Writer(self.transport, server)
        self.exchange = Exchange(server, self, self.writer, Ends(transport))
        self._since = self._made_at = server.now
        is_too_many = len(server.connections) - server.turned_away >= server.config.max_connections
        server.connections[self] = None
        if is_too_many:
            self._turn_away()

    def connection_lost(self, exc: Exception | None) -> None:
        self.server.turned_away -= self._is_turned_away
        self.server.leave(self)
        self.exchange.lost()
        self.exchange.forget()
        self._held.clear()
        self._make_room_behind()
        self.reader.close()

    def eof_received(self) -> bool:
        """A client that leaves looks just like one that has only finished sending. So what still waits is withdrawn,
        and what runs is answered. The admin API takes it as leaving: a log is followed until then."""
        self._has_peer_ended = self._has_more = True
        exchange = self.exchange
        taken = exchange.taken
        if taken is None or exchange.phase is CLOSED or exchange.phase in ARRIVING:
            return self.writer.is_choked and bool(self.reader.requests)
        self.server.gateway.hint_leaving(taken)
        return taken.start is not None

    def data_received(self, data: bytes) -> None:
        exchange = self.exchange
        if self._has_more or exchange.phase is not IDLE or len(data) > self._slice:
            if exchange.phase is not CLOSED:
                self._held += data
                self._advance()
            return
        request = self.reader.whole(data)
        if request is not None:
            exchange.serve(*request)
            return
        if self.reader.part is HEAD:
            self._since = self.server.now
        self._advance()

    def pause_writing(self) -> None:
        self.writer.is_choked = True
        self._since = self.server.now
        self.exchange.tell_flow()

    def resume_writing(self) -> None:
        self.writer.is_choked = False
        self.writer.is_read()
        self.exchange.tell_flow()
        self.resume()

    # What the exchange says (exchange.Owner).

    def go_on(self) -> None:
        self._since = self.server.now
        if self._has_more:
            self.resume()

    def break_off(self) -> None:
        self.exchange.close()
        self._since = self.server.now
        self.transport.close()

    def resume(self) -> None:
        if self._has_more and not self._is_advancing:
            asyncio.get_running_loop().call_soon(self._advance)

    def read_on(self) -> None:
        self.update_reading()
        self.resume()

    def wait(self) -> None:
        self._since = self.server.now
        self.update_reading()

    def linger(self) -> None:
        self.exchange.close()
        self._since = self.server.now
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.update_reading()

    def end(self, ending: Ending) -> None:
        if ending is Ending.RESET:
            self.exchange.close()
            self.writer.reset()
        else:
            self.break_off()

    def abort(self) -> None:
        self.exchange.close()
        self.transport.abort()

    def update_reading(self) -> None:
        phase = self.exchange.phase
        if phase is CLOSED:
            wants = True  # to see the end of it
        elif self.writer.is_choked or phase is WAITING:
            wants = False
        elif phase in ARRIVING:
            wants = not self.exchange.is_full
        else:
            wants = phase in (IDLE, COLLECTING) or len(self._held) <= HELD_MOST
        if wants != self._is_reading and not self.transport.is_closing():
            self._is_reading = wants
            if wants:
                self.transport.resume_reading()
            else:
                self.transport.pause_reading()

    def _turn_away(self) -> None:
        """It is one too many, and told so before it has said anything."""
        server = self.server
        self._is_turned_away = True
        server.turned_away += 1
        if server.turned_away > TURNED_AWAY_MOST:
            self.abort()
            return
        most = server.config.max_connections
        error = Overloaded(f"there are {most} connections already", "come back later, or raise gateway.max_connections")
        self.writer.refusal(response.of_error(error))
        self.linger()

    # What came, as far as it can be taken now.

    def _advance(self) -> None:
        self._is_advancing = True
        while self._take() or self._feed():
            pass
        self._is_advancing = False
        phase = self.exchange.phase
        is_owed = phase not in (IDLE, COLLECTING, CLOSED) or (self.writer.is_choked and bool(self.reader.requests))
        if self._has_peer_ended and phase is not CLOSED and not is_owed:
            self.break_off()
        self._make_room_behind()
        self.update_reading()
        reader = self.reader
        is_whole = reader.part is NOTHING and reader.rest is None and reader.error is None
        self._has_more = bool(self._held or reader.requests) or self._has_peer_ended or not is_whole

    def _feed(self) -> bool:
        """Read on. False: there is nothing, or what was read before has to be taken first."""
        exchange = self.exchange
        phase = exchange.phase
        wants = phase in ARRIVING or ((phase is IDLE or phase is COLLECTING) and not self.writer.is_choked)
        if not (self._held and wants) or (phase in ARRIVING and exchange.is_full) or self.reader.error is not None:
            return False
        piece = bytes(self._held[: self._slice])
        del self._held[: self._slice]
        reader = self.reader
        before = reader.part
        reader.feed(piece)
        if reader.part is HEAD and before is not HEAD:
            self._since = self.server.now
        return True

    def _take(self) -> bool:
        """One step with what has been read. False: there is nothing to do."""
        exchange, reader = self.exchange, self.reader
        phase = exchange.phase
        if phase in ARRIVING:
            return self._take_streamed()
        if self.writer.is_choked:
            return False
        if phase is COLLECTING:
            return self._take_collected()
        if phase is not IDLE:
            return False
        if reader.requests:
            exchange.serve(*reader.requests.popleft())
        elif reader.error is not None:
            exchange.fail(reader.error)
        elif reader.coming is not None:
            self._open(reader)
        else:
            return False
        return True

    def _open(self, reader: Reader) -> None:
        exchange = self.exchange
        exchange.open(reader.take_head(), bytes(reader.body))
        if exchange.phase is COLLECTING:
            exchange.collect(len(reader.body))
        else:
            reader.take_body()
        if exchange.phase is not WAITING:
            exchange.invite()

    def _take_streamed(self) -> bool:
        exchange, reader = self.exchange, self.reader
        if exchange.is_full:
            return False
        if reader.rest is not None:
            exchange.pass_on(reader.take_rest(), last=True)
        elif reader.body:
            exchange.pass_on(reader.take_body(), last=False)
        elif reader.error is not None:
            exchange.break_upload(reader.error)
        else:
            return False
        return True

    def _take_collected(self) -> bool:
        exchange, reader = self.exchange, self.reader
        if reader.rest is not None:
            exchange.serve_collected(reader.take_rest())
        elif reader.error is not None:
            exchange.fail(reader.error)
        else:
            exchange.collect(len(reader.body))
            return exchange.phase is not COLLECTING
        return True

    def _make_room_behind(self) -> None:
        """For what is held back, when it is more than a little."""
        size = len(self._held)
        if self._held_room is None:
            if size <= SLICE:
                return
            self._held_room = Room(self.server.rooms.pieces, self.exchange.function)
        if not self._held_room.take(size):
            self._held.clear()
            self._held_room.leave()
            self._drop_behind(overloaded("what came behind"))
        if not self._held:
            self._held_room.leave()
            self._held_room = None

    def _drop_behind(self, error: AttaccaError) -> None:
        """What is owed is still answered, if its request is here."""
        if self.exchange.phase in ARRIVING:
            self.exchange.break_upload(error)
        else:
            self.reader.stop(error)

    # Slow clients (server.Swept).

    def sweep(self, now: float, *, is_ending: bool) -> None:
        exchange, config = self.exchange, self.server.config
        phase, spent_s = exchange.phase, now - self._since
        if phase is CLOSED or self.writer.is_choked:
            self._sweep_writing(now)
        elif phase is WAITING:
            if spent_s > config.body_timeout_s:
                exchange.fail(overloaded("the request's body"))
        elif phase in ARRIVING:
            self._sweep_arriving(now)
        elif phase is COLLECTING:
            if not exchange.intake.keeps_pace(now, len(self.reader.body), config.body_timeout_s):
                exchange.fail(too_slow("body", config.body_timeout_s))
        elif phase is IDLE:
            self._sweep_idle(spent_s, is_ending=is_ending)

    def abandon(self) -> None:
        self.exchange.lost()
        self.transport.abort()

    def _sweep_idle(self, spent_s: float, *, is_ending: bool) -> None:
        config = self.server.config
        if self.reader.part is HEAD:
            if spent_s > config.head_timeout_s:
                self.exchange.fail(too_slow("head", config.head_timeout_s))
        elif (is_ending and not self._held and not self._is_new(spent_s)) or spent_s > config.idle_timeout_s:
            self.break_off()

    def _is_new(self, spent_s: float) -> bool:
        """What its client has come for may be on its way, and is nobody else's to answer."""
        return self._since == self._made_at and spent_s <= self.server.config.linger_s

    def _sweep_arriving(self, now: float) -> None:
        """Of a body that goes to an invocation, that one's own clocks take care."""
        exchange, stretch_s = self.exchange, self.server.config.body_timeout_s
        if exchange.taken is not None:
            return
        if not self._is_reading:
            exchange.intake.begin(now, exchange.streamed_size)
        elif not exchange.intake.keeps_pace(now, exchange.streamed_size, stretch_s):
            exchange.break_upload(too_slow("body", stretch_s))

    def _sweep_writing(self, now: float) -> None:
        """Wait as long as the client reads at all."""
        writer, config = self.writer, self.server.config
        if writer.has_moved():
            self._since = now
        patience_s = config.body_timeout_s if writer.unwritten else config.linger_s
        if now - self._since > patience_s or not writer.drains(now, config.body_timeout_s):
            self.abandon()
