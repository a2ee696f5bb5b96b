"""Small parts for the gateway's tests: revisions, a client that remembers, a worker made of a list."""

from collections.abc import Callable
from typing import Any

import msgspec

from attacca.gateway.config import GatewayConfig
from attacca.gateway.core.inflight import Inflight
from attacca.gateway.driver import Gateway
from attacca.kernel.clock import Clock
from attacca.kernel.ids import Ids
from attacca.kernel.rand import Streams
from attacca.model.function import PythonDirectory, Revision, Settings, Signature
from attacca.model.invocation import Call, Invocation, Ok, Outcome, Request, Start, Timing
from attacca.model.messages import Body, Catalogue, Dispatch, Ended, Flow, Started, ToWorker, Withdraw, WorkerJoined
from attacca.model.resources import Resources
from attacca.model.sandbox import WorkerView

LONG_S = float("inf")  # nobody is silent for so long
WARM = Timing(queued=0.25, placed=0.5)


def revision(name: str, number: int = 1, signature: Signature = Signature.EVENT_CONTEXT, **settings: Any) -> Revision:
    return Revision(
        function=name,
        number=number,
        settings=Settings(name=name, **settings),
        handler="main:handler",
        signature=signature,
        artefact=PythonDirectory("c0de"),
    )


def view(name: str, **more: Any) -> WorkerView:
    plain: dict[str, Any] = {"capacity": Resources(100), "used": Resources(0), "queued": 0, "running": 0, "limit": 2}
    return WorkerView(name=name, **{**plain, **more})


class Waiter:
    """A client that writes down what it is told."""

    def __init__(self) -> None:
        self.taken: Inflight | None = None
        self.told: list[str] = []
        self.outcomes: list[Outcome] = []

    def started(self) -> None:
        self.told.append("started")

    def head(self, status: int, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        self.told.append(f"head {status}")

    def body(self, data: bytes) -> None:
        self.told.append(f"body {data.decode()}")

    def flow(self, paused: bool) -> None:  # noqa: FBT001 - mirrors the protocol
        self.told.append("paused" if paused else "goes on")

    def ended(self, taken: Inflight, outcome: Outcome) -> None:
        self.told.append(f"ended {taken.outcome} {taken.status}")
        self.outcomes.append(outcome)


class Worker:
    """In memory. Functions in `answers` are answered at once; all others wait until the test says what happens."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[Request], Outcome]] = {"echo": lambda request: Ok(request.body)}
        self.dispatched: list[Invocation] = []
        self.told: list[ToWorker] = []
        self.gateway: Gateway | None = None
        self.start = Start.WARM
        self.on_message: Callable[[ToWorker], None] = lambda message: None

    def receive(self, _: str, message: ToWorker) -> None:
        self.told.append(message)
        if isinstance(message, Dispatch):
            self.dispatched.append(message.invocation)
            answer = self.answers.get(message.invocation.function)
            if answer is not None:
                self.started(message.invocation.id)
                self.ended(message.invocation.id, answer(message.invocation.request))
        self.on_message(message)

    def started(self, invocation: str) -> None:
        assert self.gateway is not None
        self.gateway.receive(Started(invocation, "sandbox-1", self.start, "", WARM))

    def ended(self, invocation: str, outcome: Outcome) -> None:
        assert self.gateway is not None
        self.gateway.receive(Ended(invocation, outcome, 1.5))

    @property
    def withdrawn(self) -> list[Withdraw]:
        return [message for message in self.told if isinstance(message, Withdraw)]

    @property
    def bodies(self) -> list[Body]:
        return [message for message in self.told if isinstance(message, Body)]

    @property
    def flows(self) -> list[bool]:
        return [message.paused for message in self.told if isinstance(message, Flow)]


def gateway(
    clock: Clock, *functions: Revision, config: GatewayConfig | None = None
) -> tuple[Gateway, Worker, list[Call]]:
    worker, calls = Worker(), list[Call]()
    ids = Ids(Streams(1).stream("ids"))
    chance = Streams(1).stream("balancing")
    config = msgspec.structs.replace(config or GatewayConfig(), silent_s=LONG_S)
    made = Gateway(config, clock, ids, chance, worker.receive, calls.append)
    made.receive(Catalogue(1, functions))
    made.receive(WorkerJoined(view("worker")))
    worker.gateway = made
    return made, worker, calls
