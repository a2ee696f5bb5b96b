import asyncio

from attacca.errors import NotFound, QueueFull
from attacca.gateway.config import GatewayConfig
from attacca.gateway.driver import Gateway
from attacca.io.exposition import Form
from attacca.kernel.access import digest
from attacca.kernel.clock import ManualClock
from attacca.kernel.ids import Ids
from attacca.kernel.rand import Streams
from attacca.model.endpoints import AskEndpoints, Endpoint, Endpoints, EndpointsChanged, EndpointsKnown
from attacca.model.history import AskHistory, HistoryTold
from attacca.model.invocation import Failed, Ok, Request
from attacca.model.messages import (
    Access,
    AskCalls,
    AskCatalogue,
    AskStory,
    CallsTold,
    Catalogue,
    Deleted,
    Deployed,
    Dispatch,
    Ended,
    Flow,
    Heartbeat,
    Known,
    Member,
    Members,
    OfGateway,
    ResponseBody,
    ResponseHead,
    Started,
    StoryTold,
    ToWorker,
    Withdraw,
    WorkerJoined,
)
from tests.gateway.play import WARM, Waiter, gateway, revision, view
from tests.logged import Logged

BODY = Request(b"{}")


def test_a_worker_that_answers_at_once() -> None:
    async def story() -> None:
        made, _, calls = gateway(ManualClock(), revision("echo"))
        waiter = Waiter()
        assert made.invoke("echo", BODY, waiter) is None
        assert waiter.told == ["ended ok 200"]
        assert [call.outcome for call in calls] == ["ok"]
        assert made.core.functions.calls("echo", 5) == calls
        assert made.busy() == 0

    asyncio.run(story())


def test_streams_pass_in_both_directions() -> None:
    async def story() -> None:
        made, worker, _ = gateway(ManualClock(), revision("f"))
        waiter = Waiter()
        made.invoke("f", Request(b"a", more=True), waiter)
        taken = waiter.taken
        assert taken is not None
        worker.started(taken.id)
        made.body(taken, b"b", last=True)
        made.receive(Flow(taken.id, paused=True))
        made.receive(ResponseHead(taken.id, 206, ()))
        made.receive(ResponseBody(taken.id, b"x"))
        made.flow(taken, paused=True)
        worker.ended(taken.id, Ok(streamed=True))
        made.body(taken, b"too late", last=True)
        made.receive(ResponseBody(taken.id, b"too late"))
        assert waiter.told == ["started", "paused", "head 206", "body x", "ended ok 206"]
        assert [(body.data, body.last) for body in worker.bodies] == [(b"b", True)]
        assert worker.flows == [True]

    asyncio.run(story())


def test_time_runs_out_once() -> None:
    async def story() -> None:
        clock = ManualClock()
        made, worker, calls = gateway(clock, revision("f", timeout_s=5.0))
        waiter = Waiter()
        made.invoke("f", BODY, waiter)
        (dispatched,) = worker.dispatched
        worker.started(dispatched.id)
        clock.time = 5.0
        made.tick()
        worker.ended(dispatched.id, Ok())
        assert waiter.told == ["ended timeout 504"]
        assert [withdraw.running for withdraw in worker.withdrawn] == [True]
        assert [call.status for call in calls] == [504]

    asyncio.run(story())


def test_the_timer_is_real() -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()

        class LoopClock:
            now = staticmethod(loop.time)
            wall = staticmethod(loop.time)

        made, worker, _ = gateway(LoopClock(), revision("f", wait_s=0.01), revision("g", wait_s=60.0))
        worker.on_message = lambda message: over.set_result(None) if isinstance(message, Withdraw) else None
        slow, quick = Waiter(), Waiter()
        made.invoke("g", BODY, slow)
        made.invoke("f", BODY, quick)
        await over
        assert (slow.told, quick.told) == ([], ["ended timeout 504"])

    asyncio.run(story())


def test_who_left_is_told_nothing() -> None:
    async def story() -> None:
        made, worker, calls = gateway(ManualClock(), revision("f"))
        waiter = Waiter()
        made.invoke("f", BODY, waiter)
        assert waiter.taken is not None
        made.leave(waiter.taken, can_finish=True)
        (withdraw,) = worker.withdrawn
        made.receive(Ended(withdraw.id, withdraw.outcome))
        assert waiter.told == []
        assert [(call.outcome, call.status) for call in calls] == [("cancelled", 499)]

    asyncio.run(story())


def test_what_is_given_up_is_recorded_and_withdrawn() -> None:
    async def story() -> None:
        made, worker, calls = gateway(ManualClock(), revision("f"))
        waiter = Waiter()
        made.invoke("f", BODY, waiter)
        assert waiter.taken is not None
        made.give_up(waiter.taken, NotFound("for example"))
        made.give_up(waiter.taken, NotFound("for example"))
        assert [(call.outcome, call.status) for call in calls] == [("not_found", 404)]
        assert [withdraw.outcome for withdraw in worker.withdrawn] == [Failed("not_found", "for example")]
        assert waiter.told == []

    asyncio.run(story())


def test_what_is_sent_again_is_answered_once() -> None:
    async def story() -> None:
        made, worker, calls = gateway(ManualClock(), revision("f", idempotent=True))
        waiter = Waiter()
        made.invoke("f", BODY, waiter)
        for outcome in (Failed("sandbox_lost", "it was killed by SIGKILL"), Ok(b"x")):
            name = worker.dispatched[-1].id
            worker.started(name)
            worker.ended(name, outcome)
        first, again = worker.dispatched
        assert first == again
        assert waiter.told == ["ended ok 200"]
        assert [call.why for call in calls] == ["sent again, it was killed by SIGKILL; "]

    asyncio.run(story())


def test_control_is_asked_when_something_was_missed() -> None:
    asked: list[OfGateway] = []
    clock = ManualClock()
    ids, chance = Ids(Streams(1).stream("ids")), Streams(1).stream("balancing")
    made = Gateway(GatewayConfig(), clock, ids, chance, lambda *_: None, None, asked.append)
    made.receive(Catalogue(1, ()))
    made.receive(Deployed(2, revision("a")))
    made.receive(Deleted(4, "a"))
    assert asked == [AskCatalogue(2, 4)]
    assert made.find("a") is not None


def test_metrics_tell_what_happened() -> None:
    async def story() -> None:
        made, worker, _ = gateway(ManualClock(), revision("echo"), revision("f", queue=1))
        for name in ("echo", "echo", "f"):
            made.invoke(name, BODY, Waiter())
        assert isinstance(made.invoke("f", BODY, Waiter()), QueueFull)
        made.invoke("nobody", BODY, Waiter())
        page = made.metrics(Form.TEXT)().decode()
        assert len(worker.dispatched) == 3
        for line in (
            'faas_invocations_total{faas_name="echo",start="warm"} 2.0',
            'faas_invoke_duration_seconds_bucket{faas_name="echo",le="0.005"} 2.0',
            'faas_invoke_duration_seconds_count{faas_name="echo"} 2.0',
            'faas_coldstarts_total{faas_name="echo"} 0.0',
            'faas_errors_total{code="queue_full",faas_name="f"} 1.0',
            'faas_errors_total{code="not_found",faas_name=""} 1.0',
            'faas_queue_depth{faas_name="f"} 1.0',
            'faas_in_flight{faas_name="f"} 0.0',
        ):
            assert line in page

    asyncio.run(story())


def test_a_start_that_comes_back_inside_the_dispatch_is_no_waiting() -> None:
    async def story() -> None:
        made, worker, _ = gateway(ManualClock(), revision("f", queue=1))

        def start(message: object) -> None:
            if isinstance(message, Dispatch):
                made.receive(Started(message.invocation.id, "s", worker.start, "", WARM))

        worker.on_message = start
        assert [made.invoke("f", BODY, Waiter()) for _ in range(5)] == [None] * 5
        assert made.busy() == 5

    asyncio.run(story())


def test_a_silent_worker_is_left_out_and_what_it_had_is_sent_again_or_fails(logged: Logged) -> None:
    async def story() -> None:
        clock = ManualClock()
        ids, chance = Ids(Streams(1).stream("ids")), Streams(1).stream("balancing")
        config = GatewayConfig(silent_s=2.0, attempts=2)
        sent: list[tuple[str, str]] = []

        def send(peer: str, message: ToWorker) -> None:
            if isinstance(message, Dispatch):
                sent.append((peer, message.invocation.id.rpartition("-")[2]))

        made = Gateway(config, clock, ids, chance, send)
        made.receive(Catalogue(1, (revision("f"),)))
        for name in "abc":
            made.receive(WorkerJoined(view(name)))
        assert repr(made) == "<Gateway 0 invocations, 3 workers>"
        waiter = Waiter()
        made.invoke("f", BODY, waiter)
        clock.time = 1.0
        for name in "bc":
            made.receive(Heartbeat(view(name)))
        clock.time = 2.0
        made.tick()
        clock.time = 3.0
        made.tick()
        assert sent == [("a", "1"), ("b", "1~2")]
        assert waiter.told == ["ended sandbox_lost 502"], "attempts are counted"
        assert made.invoke("f", BODY, Waiter()) is not None, "nobody is left"
        made.close()

    asyncio.run(story())
    assert [record.message for record in logged.records] == [
        f"worker '{name}' was not heard of for 2.0 s: what it had is given to others" for name in "abc"
    ]


def test_control_is_told_what_it_asks_and_says_who_may_ask() -> None:
    said: list[OfGateway] = []
    clock = ManualClock()
    ids, chance = Ids(Streams(1).stream("ids")), Streams(1).stream("balancing")
    made = Gateway(GatewayConfig(), clock, ids, chance, lambda *_: None, None, said.append, Nowhere())
    assert not made.has_catalogue
    assert not made.has_all
    made.hear(Catalogue(7, ()))
    made.hear(AskCalls("1", "", 5))
    made.hear(AskStory("2", "nothing"))
    made.hear(AskHistory("3"))
    assert said == [Known("", 7), CallsTold("1", ()), StoryTold("2", ()), HistoryTold("3")]
    assert repr(made.remembering) == "<Remembering <History 0 steps, 0 functions>>"
    assert made.has_catalogue
    said.clear()
    made.hear(Endpoints(3, ()))
    made.hear(EndpointsChanged(4, (Endpoint("s", "f", "f@1", "w", 1),)))
    made.hear(EndpointsChanged(5, removed=("s",)))
    made.hear(EndpointsChanged(7, (Endpoint("t", "f", "f@1", "w", 1),)))
    made.hear(Members(()))
    assert said == [EndpointsKnown(3), EndpointsKnown(4), AskEndpoints(), EndpointsKnown(5)]
    assert not made.admits(b"Bearer sesame")
    made.hear(Access((digest("sesame"),), is_uid_shared=False))
    assert [made.admits(one) for one in (b"Bearer sesame", b"Bearer open", b"Basic sesame", None)] == [
        True, False, False, False,
    ]  # fmt: skip


def test_workers_apart_are_dialed() -> None:
    clock = ManualClock()
    ids, chance = Ids(Streams(1).stream("ids")), Streams(1).stream("balancing")
    nowhere = Nowhere()
    made = Gateway(GatewayConfig(), clock, ids, chance, lambda *_: None, None, lambda _: None, nowhere)
    made.hear(Members((Member("w", "h:1"),)))
    made.hear(Members(()))
    assert nowhere.story == ["dial w at h:1", "hang up w"]


class Nowhere:
    """Roads that are only noted."""

    def __init__(self) -> None:
        self.story: list[str] = []

    def dial(self, worker: str, address: str) -> None:
        self.story.append(f"dial {worker} at {address}")

    def hang_up(self, worker: str) -> None:
        self.story.append(f"hang up {worker}")
