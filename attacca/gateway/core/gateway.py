"""The gateway's machine: who is admitted and where to, when it has waited too long, and what is remembered.

    Arrived ─▶ waiting ──Started──▶ running ──Ended──▶ done
       │        │  ▲ │ wait_s         │ │ first_byte_s, timeout_s
       ▼        │  └─┼─ lost, again ──┘ │
    Reject      └────┴──────────────────┴──▶ done: Failed("timeout") and a Withdraw, or Failed("sandbox_lost")

Every admitted invocation becomes done exactly once, and each has one Answer. When its client has left, it goes on
without one. What was lost with its sandbox or its worker goes back to waiting where that is safe: see retries.
"""

from typing import Final

from attacca.errors import AttaccaError, Draining, NoCapacity
from attacca.gateway.core.catalogue import Functions
from attacca.gateway.core.charted import Charted
from attacca.gateway.core.cluster import Cluster
from attacca.gateway.core.deadlines import Deadlines, timed_out
from attacca.gateway.core.dialing import Dialing
from attacca.gateway.core.doors import Doors
from attacca.gateway.core.events import (
    Amended,
    Answer,
    Arrived,
    BodyCame,
    ClientFell,
    ClientLeft,
    ClientPaused,
    Command,
    Drain,
    Event,
    GivenUp,
    Pass,
    Refused,
    Reject,
    Tick,
)
from attacca.gateway.core.inflight import NO_REQUEST, Function, Inflight
from attacca.gateway.core.joining import Joining
from attacca.gateway.core.retries import AWAITED, LEFT, Retries
from attacca.gateway.core.slots import Slotter
from attacca.gateway.core.workers import ONLY, WorkerHandle, Workers
from attacca.kernel.timers import Alarm
from attacca.model.doors import Doors as DoorsTold
from attacca.model.endpoints import Endpoints, EndpointsChanged, NotBegun, SlotFree, StartsFail
from attacca.model.energy import Spent
from attacca.model.events import FunctionCalled
from attacca.model.invocation import Failed, Invocation, Ok, Outcome, Start
from attacca.model.messages import (
    Body,
    Catalogue,
    Deleted,
    Deployed,
    Dispatch,
    Ended,
    Flow,
    Heartbeat,
    Members,
    ResponseBody,
    ResponseHead,
    Resting,
    Send,
    Started,
    Withdraw,
    WorkerJoined,
    WorkerLeft,
)
from attacca.policy.balancing.level import Level
from attacca.policy.balancing.types import Balancer, Done
from attacca.policy.slots.latest import Stack

AtWork = BodyCame | ClientPaused | ClientLeft | ClientFell | Amended | GivenUp
FromWorkers = ResponseHead | ResponseBody | Flow | Resting | WorkerJoined | WorkerLeft | FunctionCalled

# Looking a member of an enumeration up costs ten times a name, and this is the road of every invocation.
PREWARMED: Final = Start.PREWARMED
WARM: Final = Start.WARM
DEAD: Final = ("sandbox_lost", "out_of_memory")  # with these a sandbox has ended, and not only what ran in it


class GatewayCore:
    """It needs workers, which join and leave."""

    def __init__(
        self, calls_kept: int, balancer: Balancer | None = None, slots: Slotter = Stack, *,
        silent_s: float = 3.0, attempts: int = 3,
    ) -> None:  # fmt: skip
        """`silent_s`: who says nothing for so long is lost. `attempts`: so often an invocation is sent, at most."""
        self.functions = Functions(calls_kept)
        self.alarm = Alarm()  # when it wants the next Tick; a Tick at any other time does no harm
        self.deadlines: Deadlines[Inflight] = Deadlines(self.alarm)
        self.workers = Workers(balancer or Level(), silent_s, self.alarm)
        self.inflight: dict[str, Inflight] = {}  # by key
        self.is_draining = False
        self.cluster = Cluster(
            self.inflight, self.functions, self.deadlines, self.workers, self._close, self._place, slots
        )
        self.doors = Doors(self.functions, self.cluster, calls_kept)
        self._handles = self.workers.by_name
        self.dialing = Dialing(self._handles.__contains__)
        self.retries = Retries(
            self.inflight, self.functions, self.deadlines, self.workers, attempts, self._pick, self._close,
            self.cluster, self.dialing.awaits,
        )  # fmt: skip
        self.joining = Joining(self.workers, self.retries, self.cluster, self.functions.spending)

    def __repr__(self) -> str:
        state, known, held = "draining" if self.is_draining else "open", len(self.functions.by_name), len(self.inflight)
        return f"<GatewayCore {state}: {held} in flight of {known} functions on {len(self._handles)} workers>"

    def handle(self, now: float, event: Event) -> list[Command]:
        out: list[Command] = []
        # The road of every invocation. A `match` asks the classes of structs one by one, at ten times the price.
        if type(event) is Arrived:
            self._invoke(now, event, out)
        elif type(event) is Started:
            self._started(now, event, out)
        elif type(event) is Ended:
            self._ended(now, event, out)
        elif type(event) is Heartbeat:
            self.joining.heard(now, event, out)
        else:
            self._rest(now, event, out)
        return out

    def _rest(self, now: float, event: Event, out: list[Command]) -> None:
        match event:
            case (
                ResponseHead() | ResponseBody() | Flow() | Resting() | WorkerJoined() | WorkerLeft() | FunctionCalled()
            ):
                self._told(now, event, out)
            case NotBegun() | SlotFree() | Endpoints() | EndpointsChanged() | StartsFail():
                self.cluster.handle(now, event, out)
            case BodyCame() | ClientPaused() | ClientLeft() | ClientFell() | Amended() | GivenUp():
                self._at_work(now, event, out)
            case Tick():
                self._tick(now, out)
            case Refused():
                self.functions.count_refusal(event.function, event.code)
            case Catalogue() | Deployed() | Deleted():
                self._learn(now, event, out)
            case Members() | DoorsTold() | Charted() | Spent():
                self._find(now, event, out)
            case Drain():
                self.is_draining = True
                self.cluster.drain(now, out)
            case Arrived() | Started() | Ended() | Heartbeat():
                raise AssertionError("they are handled before")

    # What can be asked.

    def refusal(self, name: str) -> AttaccaError | None:
        """Why an invocation of `name` would be refused now."""
        function = self.functions.by_name.get(name)
        if function is None:
            return self.functions.unknown(name)
        if self.is_draining:
            return Draining("the server is shutting down", "send it again a little later, or to another server")
        if function.waiting >= function.queue:
            return function.queue_full()
        if not self._handles and not self.dialing.awaits():
            return NoCapacity("no worker is there to run it", "send it again when one has joined")
        return None

    # Admission.

    def _invoke(self, now: float, event: Arrived, out: list[Command]) -> None:
        function = self.functions.by_name.get(event.function)
        if function is None or self.is_draining or function.waiting >= function.queue or not self._handles:
            error = self.refusal(event.function)
            if error is not None:
                self.functions.count_refusal(event.function, error.code)
                out.append(Reject(event.client, error))
                return
            assert function is not None
        if function.slots is not None:
            self.cluster.arrive(now, event, function, out)
            return
        handle, why = self.workers.only, ONLY
        if handle is None:
            function.arrive(now)
            handle, why = self._pick(now, function, out) if self._handles else (self.retries.nowhere, AWAITED)
        key, request = event.id, event.request
        inflight = Inflight(key, function, request, event.client, handle, why, now, event.at)
        self.inflight[key] = inflight
        handle.queued += 1
        function.waiting += 1
        function.statistics.taken += 1
        self.deadlines.add(now, function.clocks.wait, inflight)
        if handle is self.retries.nowhere:
            self.retries.held.append(inflight)
            return
        out.append(Send(handle.name, Dispatch(Invocation(key, function.name, function.revision_id, request))))

    def _pick(self, now: float, function: Function, out: list[Command]) -> tuple[WorkerHandle, str]:
        picked = self.workers.pick(now, function.asked(), function.needs)
        if self.workers.is_asked and not self.joining.is_watching:
            self.joining.watch(out)
        return picked

    def _place(self, now: float, inflight: Inflight, out: list[Command]) -> None:
        self.retries.place(now, inflight, out)

    def _learn(self, now: float, event: Catalogue | Deployed | Deleted, out: list[Command]) -> None:
        functions = self.functions
        before = functions.named_in(event)
        if (asking := functions.learn(event)) is not None:
            out.append(asking)
        for function in before:
            if functions.by_name.get(function.name) is not function:
                self.cluster.delete(now, function, out)
        for function in functions.named_in(event):
            for inflight in self.cluster.adopt(now, function, out):
                self.retries.place(now, inflight, out)
        self.retries.place_held(now, out)

    def _find(self, now: float, event: Members | DoorsTold | Charted | Spent, out: list[Command]) -> None:
        if isinstance(event, Members):
            self.dialing.learn(event, out)
        elif isinstance(event, DoorsTold):
            self.doors.learn(now, event, out)
        else:
            self.joining.note(event)

    # Progress.

    def _started(self, now: float, message: Started, out: list[Command]) -> None:
        inflight = self.inflight.get(message.id)
        if inflight is None or inflight.start is not None:
            return
        function, clocks, handle = inflight.function, inflight.clocks, inflight.holder
        handle.queued -= 1
        handle.running += 1
        function.waiting -= 1
        function.running += 1
        inflight.said = message
        inflight.start = start = message.start
        timing = message.timing
        if inflight.slot is None:
            inflight.timing = timing
        else:
            timing = inflight.timing  # what the worker cannot know: how long it was held here, and what for
        self.deadlines.remove(clocks.wait, inflight)
        self.deadlines.add(now, clocks.total, inflight)
        if clocks.first_byte is not None:
            self.deadlines.add(now, clocks.first_byte, inflight)
        if start is not WARM and start is not PREWARMED:  # it was made for this one
            function.statistics.init.add(timing.making.whole / 1e3)
        if not function.is_idempotent:
            inflight.request = NO_REQUEST
        if inflight.more:
            out.append(Pass(inflight, message))

    def _ended(self, now: float, message: Ended, out: list[Command]) -> None:
        inflight = self.inflight.get(message.id)
        if inflight is None:
            return  # a clock was faster
        outcome = message.outcome
        if type(outcome) is not Ok and self._is_made_good(now, inflight, outcome, out):
            return
        inflight.run_ms = message.run_ms
        self._close(now, inflight, outcome, out)

    def _is_made_good(self, now: float, inflight: Inflight, outcome: Outcome, out: list[Command]) -> bool:
        if not isinstance(outcome, Failed):
            return False
        if inflight.slot is not None and outcome.code in DEAD:
            self.cluster.lost(inflight)
        if self.is_draining:
            return False
        return self.retries.ended_too_soon(now, inflight, outcome, out)

    def _close(self, now: float, inflight: Inflight, outcome: Outcome, out: list[Command]) -> None:
        function, clocks, handle, start = inflight.function, inflight.clocks, inflight.holder, inflight.start
        statistics = function.statistics
        del self.inflight[inflight.key]
        inflight.is_done = True
        inflight.request = NO_REQUEST
        if start is None:
            handle.queued -= 1
            function.waiting -= 1
            self.deadlines.remove(clocks.wait, inflight)
            statistics.ended["none"] += 1
        else:
            handle.running -= 1
            function.running -= 1
            self.deadlines.remove(clocks.total, inflight)
            self.deadlines.remove(clocks.first_byte, inflight)
            statistics.ended[start] += 1
            if inflight.run_ms > 0:
                statistics.ran(inflight.run_ms / 1e3)
        spent_s = now - inflight.arrived
        inflight.total_ms = spent_s * 1e3
        statistics.duration.add(spent_s)
        if type(outcome) is Ok:
            inflight.outcome = "ok"
            if not outcome.streamed:
                inflight.status = outcome.status
        elif not isinstance(outcome, Ok):
            inflight.blame(outcome)
        function.recent.append(inflight)
        workers = self.workers
        if workers.tell_eased is not None:
            workers.tell_eased(handle.name)
        if workers.tell_ended is not None and start is not None:
            done = Done(handle.name, function.name, start.value, inflight.run_ms / 1e3, type(outcome) is Ok)
            workers.tell_ended(now, done)
        out.append(Answer(inflight, outcome))
        if function.slots is not None or inflight.slot is not None:
            self.cluster.leave(now, inflight, out)

    def _at_work(self, now: float, event: AtWork, out: list[Command]) -> None:
        """Of its client. What is over is not touched any more, nor what waits for a worker spoken of."""
        inflight = event.inflight
        if isinstance(event, Amended):
            inflight.blame(event.outcome)
            return
        if inflight.is_done:
            return
        key, worker = inflight.key, inflight.worker
        match event:
            case BodyCame():
                out.append(Send(worker, Body(key, event.data, event.last)))
            case ClientPaused():
                out.append(Send(worker, Flow(key, event.paused)))
            case ClientLeft():
                self._left(now, inflight, event, out)
            case ClientFell() if inflight.function.hears_leaving and inflight.start is not None:
                out.append(Send(worker, Withdraw(key, running=False, outcome=LEFT)))
            case ClientFell():
                pass
            case GivenUp():
                inflight.client = None
                self._end(now, inflight, event.outcome, out)

    def _left(self, now: float, inflight: Inflight, event: ClientLeft, out: list[Command]) -> None:
        """What runs may go on, unless it waits for the rest of a body that cannot come."""
        if inflight.client is not None:
            inflight.client = None
            if inflight.holder is self.cluster.nowhere:
                self._close(now, inflight, LEFT, out)
            elif inflight.worker:
                out.append(Send(inflight.worker, Withdraw(inflight.key, not event.can_finish, LEFT)))

    def _end(self, now: float, inflight: Inflight, outcome: Failed, out: list[Command]) -> None:
        """It is over by our own decision, of which its worker is told."""
        key, worker = inflight.key, inflight.worker
        self.cluster.distrust(inflight)
        self._close(now, inflight, outcome, out)
        if worker:
            out.append(Send(worker, Withdraw(key, running=True, outcome=outcome)))

    # Time.

    def _tick(self, now: float, out: list[Command]) -> None:
        """End what has waited too long, and drop the workers that were not heard of for too long."""
        if self.deadlines.next_at <= now:
            for inflight, lane in self.deadlines.expired(now):
                if inflight.is_done:
                    continue  # two of its clocks fired at once
                inflight.function.statistics.timed_out(lane.clock.value)
                outcome = timed_out(inflight.function.name, lane.clock, lane.duration_s)
                self._end(now, inflight, outcome, out)
        if self.workers.silent_at <= now:
            self.joining.drop_silent(now, out)
        if self.cluster.tell_at <= now:
            self.cluster.tell(now, out)
        self.alarm.at = min(self.deadlines.next_at, self.workers.silent_at, self.cluster.tell_at)

    # Workers.

    def _told(self, now: float, event: FromWorkers, out: list[Command]) -> None:
        match event:
            case ResponseBody() | Flow():
                inflight = self.inflight.get(event.id)
                if inflight is not None:
                    out.append(Pass(inflight, event))
            case ResponseHead():
                self._head(event, out)
            case Resting():
                self.workers.rests(now, event)
            case FunctionCalled():
                out.append(event)
            case WorkerJoined():
                self.joining.joined(now, event, out)
            case WorkerLeft():
                self.joining.left(now, event, out)
                self.dialing.lose(event.worker, out)

    def _head(self, message: ResponseHead, out: list[Command]) -> None:
        inflight = self.inflight.get(message.id)
        if inflight is None or inflight.start is None or inflight.has_head:
            return  # what was not started has no answer: it may still be sent to another worker
        inflight.has_head = True
        inflight.status = message.status
        if inflight.clocks.first_byte is not None:
            self.deadlines.remove(inflight.clocks.first_byte, inflight)
        out.append(Pass(inflight, message))
