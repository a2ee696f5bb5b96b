"""One request and its answer at a time: who answers, how, and what becomes of a body that comes later (see phases).

It is the client of whatever invocation is made for the request (core.inflight.Client), and used again for the next.
"""

from attacca.errors import AttaccaError, BadRequest, BadResponse
from attacca.gateway.core.inflight import Inflight
from attacca.gateway.http import cors, phases, request
from attacca.gateway.http.asgi_adapter import AsgiAdapter, scope_of
from attacca.gateway.http.handler import NO_PLAN, PLAINLY, Action, Admin, Deliver, Invoke, Refuse, Serve
from attacca.gateway.http.intake import SMALL, Asked, Intake, too_large
from attacca.gateway.http.owner import Owner
from attacca.gateway.http.peer_uid import Ends
from attacca.gateway.http.phases import END, IDLE, SERVED, UPLOADING, WHOLE, Phase, Row, refused
from attacca.gateway.http.request import Fields, Head
from attacca.gateway.http.response import Headers, Whole
from attacca.gateway.http.room import overloaded
from attacca.gateway.http.server import HttpServer
from attacca.gateway.http.upload import Sink, Upload
from attacca.gateway.http.writer import Ending, Writer
from attacca.model.invocation import Ok, Outcome, Request, Start

WARM = Start.WARM
LARGE = 64 * 1024  # bytes of an answer that do not count
NO_HEAD = request.head(b"", b"", [], {}, "1.1", False)  # noqa: FBT003 - as in any other


class Exchange:
    __slots__ = (
        "_ends", "_gateway", "_handle", "_head", "_is_plain", "_limit", "_max_body", "_owner", "_passes", "_plan",
        "_server", "_writer", "intake", "phase", "sink", "streamed_size", "taken",
    )  # fmt: skip
    __deletable__ = ("_owner",)  # as mypyc wants to know

    def __init__(self, server: HttpServer, owner: Owner, writer: Writer, ends: Ends) -> None:
        self.phase = IDLE
        self.taken: Inflight | None = None
        self.sink: Sink | None = None  # who gets the rest of the request's body
        self.intake = Intake(server.rooms)
        self.streamed_size = 0
        self._server = server
        self._gateway = server.gateway
        self._handle = server.handler.handle
        self._max_body = server.max_body
        self._owner = owner
        self._writer = writer
        self._ends = ends
        self._head = NO_HEAD  # of the request that is collected
        self._plan = NO_PLAN  # whose answer is owed
        self._is_plain = False  # nothing is asked of the answer: the warm road
        self._limit = 0  # bytes of a body that is passed on
        self._passes = False  # when the answer is out, what still comes of the body passes by

    def __repr__(self) -> str:
        name = "nothing" if self.taken is None else self.taken.id
        return f"<Exchange {self.phase.name.lower()}, {name} taken, {self.streamed_size} bytes passed on>"

    def _step(self, row: Row) -> None:
        to = row[self.phase]
        if to is None:
            raise refused(self.phase, row)
        self.phase = to

    # Requests that are here.

    def serve(self, head: Head, body: bytes) -> None:
        if self.phase is not IDLE:
            raise refused(self.phase, WHOLE)
        self.phase = SERVED
        writer = self._writer
        writer.keep, writer.is_old, writer.is_head = head.keep, head.is_old, head.is_head
        self._act(self._handle(head, self._ends), head, body, more=False)

    def serve_collected(self, body: bytes) -> None:
        """The last of it has come. Its room is taken until its invocation is over."""
        self._step(phases.LAST)
        room = self.intake.hand_over()
        self._act(self._handle(self._head, self._ends), self._head, body, more=False)
        if room is None:
            return
        if self.taken is None:
            room.leave()
        else:
            room.take(len(body))
            self.taken.on_end = room.leave

    def _act(self, action: Action, head: Head, body: bytes, *, more: bool) -> None:
        if not isinstance(action, Invoke):
            self._act_otherwise(action, head, body, more=more)
            return
        self._plan = action
        self._is_plain = head.is_plain and not action.beside and action.told is PLAINLY
        error: AttaccaError | None = head.refusal
        if error is None and len(body) > self._max_body and not more:
            error = self._gateway.refused(action.function, too_large(self._max_body))
        if error is None:
            invoked = Request(
                body, action.content_type, action.method, action.path, action.query, action.headers, more,
                action.client, action.port, action.scheme, head.traceparent,
            )  # fmt: skip
            error = self._gateway.invoke(action.function, invoked, self)
        if error is not None:
            self.respond(action.told.error(error, None))

    def _act_otherwise(self, action: Admin | Deliver | Serve | Refuse, head: Head, body: bytes, *, more: bool) -> None:
        self._plan = NO_PLAN
        match action:
            case Serve(answer=answer):
                self.respond(answer)
            case Refuse(error=error):
                self.respond(PLAINLY.error(error, None))
            case Deliver():
                self._plan = action.plan
                refusal = head.refusal or (too_large(self._max_body) if len(body) > self._max_body else None)
                delivery = action.begin(refusal, body, self)
                if delivery is not None:  # else it is answered, and this may be at the next request already
                    self.sink = delivery
            case Admin(path=path, query=query, by=by):
                app = self._server.admin
                assert app is not None, "a handler hands on to what is not there"
                self.sink = AsgiAdapter(self, self._owner.read_on, app, scope_of(by or head, path, query, self._ends))
                self.sink.feed(body, last=not more)

    # Requests whose body is still on its way.

    def open(self, head: Head, body: bytes) -> None:
        """Refuse it before its body has come, or start it without, or collect its body."""
        action, intake, server = self._handle(head, self._ends), self.intake, self._server
        is_large = head.is_chunked or head.announced > SMALL
        is_collected = isinstance(action, Invoke | Deliver)
        is_streamed = not is_collected or (isinstance(action, Invoke) and is_large and action.takes_streams)
        most = server.max_stream if is_streamed else server.max_body
        self._limit = most if is_collected else server.max_admin
        self._head, self._passes = head, False
        self._writer.begin(head)
        intake.announced, intake.expects = None if head.is_chunked else head.announced, head.expects
        intake.begin(server.now)
        error = self._refuse_early(action, head)
        if error is None and isinstance(action, Invoke | Deliver) and not is_streamed:
            self._step(phases.OPEN)
            intake.limit, intake.owner = self._limit, action.function
            self._plan = action if isinstance(action, Invoke) else action.plan
            return
        self._step(phases.STREAM)
        self.streamed_size = len(body)
        if error is not None or isinstance(action, Serve | Refuse):
            self._passes = self._may_pass(head)
        if error is not None:
            self._plan = NO_PLAN
            self.respond((action.told if isinstance(action, Invoke) else PLAINLY).error(error, None))
            return
        self._act(action, head, body, more=True)
        if self.taken is not None:
            self.sink = Upload(self._gateway, self.taken)

    def _refuse_early(self, action: Action, head: Head) -> AttaccaError | None:
        length, limit = head.announced, self._limit
        if length < 0:
            return BadRequest("the Content-Length is not a number of bytes", "send digits")
        if length > limit:
            return self._gateway.refused(action.function if isinstance(action, Invoke) else "", too_large(limit))
        if isinstance(action, Invoke):
            return head.refusal or self._gateway.refusal(action.function)
        return head.refusal if isinstance(action, Deliver) else None

    def _may_pass(self, head: Head) -> bool:
        """The answer does not wait for the body. What still comes of a small one passes by, and the connection goes on;
        who waits to be invited may never send it, and the rest of a large one would take too long."""
        is_small = 0 <= head.announced <= SMALL
        return is_small and head.keep and not head.expects and not self._server.is_ending

    def invite(self) -> None:
        """Ask for the body, if its sender waits for that."""
        if self.intake.expects and self.phase in (Phase.COLLECTING, UPLOADING):
            self._writer.invite()
        self.intake.expects = False

    def collect(self, size: int) -> None:
        """So much of the body has come."""
        intake = self.intake
        if size > intake.limit:
            self.fail(too_large(intake.limit))
            return
        match intake.make_room(size, self._has_room):
            case Asked.WAITS:
                self._step(phases.WAIT)
                self._owner.wait()
            case Asked.NONE:
                self.fail(overloaded("the request's body"))
            case Asked.HAS:
                pass

    def _has_room(self) -> None:
        self._step(phases.ROOM)
        self.intake.begin(self._server.now, self.intake.size)
        self.invite()
        self._owner.read_on()

    def pass_on(self, data: bytes, *, last: bool) -> None:
        """More of a streamed body."""
        self.streamed_size += len(data)
        is_passing = self.phase is Phase.PASSING
        limit = SMALL if is_passing else self._limit
        if self.streamed_size > limit:
            self.break_upload(too_large(limit))
            return
        if last:
            self._step(phases.LAST)
        if self.sink is not None:
            self.sink.feed(data, last=last)
        elif is_passing and last:
            self._go_on_or_end()

    def break_upload(self, error: AttaccaError) -> None:
        """A body that is being streamed turns out to be too large, or no HTTP: it cannot be finished."""
        phase, taken, sink = self.phase, self.taken, self.sink
        if phase is Phase.PASSING:
            self._owner.linger()
            return
        self.taken = self.sink = None
        if sink is not None:
            sink.lost()
        if taken is not None:
            taken.client = None
            self._gateway.give_up(taken, error)
        self._passes = False
        if phase is Phase.BOTH:
            self._owner.abort()
        else:
            self.respond(self._plan.told.error(error, taken))

    def fail(self, error: AttaccaError) -> None:
        """Nothing after this can be understood, and no answer is owed: answer this, and close."""
        is_known = self.phase is not IDLE
        self.intake.leave()
        self._writer.refusal((self._plan.told if is_known else PLAINLY).error(error, None))
        self._owner.linger()

    # What the gateway says.

    def ended(self, taken: Inflight, outcome: Outcome) -> None:
        if self.phase is not SERVED:
            if self.phase is not UPLOADING:
                self.end_stream(is_whole=type(outcome) is Ok)
                return
            self._is_plain = False
        if type(outcome) is Ok:
            if len(outcome.body) > LARGE and not self._writer.make_room(
                self._server.rooms.answers, taken.function.name, len(outcome.body)
            ):
                self._amend(overloaded("the answer"), taken)
                return
            if (
                self._is_plain
                and taken.start is WARM
                and outcome.status == 200
                and not outcome.headers
                and outcome.content_type
                and not (outcome.streamed or taken.lost or self._server.is_ending)
            ):
                try:
                    self._writer.warm(outcome, taken)
                except BadResponse as error:
                    self._amend(error, taken)
                else:
                    self._finish()
                return
        try:
            answer = self._plan.told.outcome(outcome, taken)
        except BadResponse as error:
            self._amend(error, taken)
        else:
            self.respond(answer)

    def head(self, status: int, headers: Headers) -> None:
        taken = self.taken
        assert taken is not None
        try:
            self.start_stream(status, self._plan.told.head(headers, taken))
        except BadResponse as error:
            taken.client = None
            self._gateway.give_up(taken, error)
            self.respond(self._plan.told.error(error, taken))

    def body(self, data: bytes) -> None:
        self._writer.piece(data)

    def started(self) -> None:
        if self.sink is not None:
            self.sink.open()
            self._owner.read_on()

    def flow(self, paused: bool) -> None:  # noqa: FBT001 - mirrors messages.Flow
        if self.sink is not None:
            self.sink.flow(paused=paused)
            self._owner.read_on()

    def _amend(self, error: AttaccaError, taken: Inflight) -> None:
        """What the function answered cannot be sent."""
        self._gateway.amend(taken, error)
        self.respond(self._plan.told.error(error, taken))

    # Answers.

    def respond(self, answer: Whole) -> None:
        if self.phase is UPLOADING and not self._passes:
            self._writer.keep = False  # the rest of the body has nowhere to go
        if self._plan.beside:
            answer = Whole(answer.status, cors.added(answer.fields, [*self._plan.beside]), answer.body)
        self._writer.whole(answer)
        self._finish()

    def start_stream(self, status: int, fields: Fields) -> None:
        """
        Raises:
            BadResponse: the status or the length make no sense.
        """
        self._writer.start(status, cors.added(fields, [*self._plan.beside]) if self._plan.beside else fields)
        self._step(phases.HEAD)
        if self._writer.is_choked:
            self.tell_flow()

    def end_stream(self, *, is_whole: bool) -> None:
        ending = self._writer.end(is_whole=is_whole)
        if ending is Ending.WHOLE:
            self._finish()
        else:
            self.taken = self.sink = None
            self._owner.end(ending)

    def _finish(self) -> None:
        writer = self._writer
        self.taken = self.sink = None
        if writer.unread is not None and not writer.is_choked:
            writer.is_read()
        if self.phase is UPLOADING and self._passes:
            self._step(phases.PASS)
            return
        self._step(END)
        if self.phase is IDLE:
            self._go_on_or_end()
        else:
            self._owner.linger()

    def _go_on_or_end(self) -> None:
        if self._writer.keep:
            self._owner.go_on()
        else:
            self._owner.break_off()

    # The connection's side.

    @property
    def function(self) -> str:
        """The one that what is held here is charged to."""
        if self.taken is not None:
            return self.taken.function.name
        return self.intake.owner if self.phase in (Phase.COLLECTING, Phase.WAITING) else ""

    @property
    def is_full(self) -> bool:
        """Has whoever takes the rest of the body enough for now?"""
        return self.sink is not None and self.sink.is_full

    @property
    def is_streaming(self) -> bool:
        """Is the head of the answer out, and not its end?"""
        return self.phase is Phase.ANSWERING or self.phase is Phase.BOTH

    def tell_flow(self) -> None:
        """The client reads slowly, or has caught up."""
        is_choked = self._writer.is_choked
        if self.taken is not None:
            if self.is_streaming:
                self._gateway.flow(self.taken, paused=is_choked)
        elif self.sink is not None:
            self.sink.choke(paused=is_choked)
        self._owner.update_reading()

    def close(self) -> None:
        """Nothing that arrives matters any more."""
        self._step(phases.CLOSE)

    def lost(self) -> None:
        """The client has gone."""
        phase, taken, sink = self.phase, self.taken, self.sink
        self._step(phases.CLOSE)
        self.taken = self.sink = None
        self.intake.leave()
        self._writer.is_read()
        if sink is not None:
            sink.lost()
        if taken is not None:
            if phase in (Phase.ANSWERING, Phase.BOTH) and self._writer.is_choked:
                self._gateway.flow(taken, paused=False)  # it may finish, although nobody listens
            self._gateway.leave(taken, can_finish=phase not in (UPLOADING, Phase.BOTH))

    def forget(self) -> None:
        """Nobody is told anything any more. The owner holds this: a circle that nobody need look for then."""
        del self._owner
