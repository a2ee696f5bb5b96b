"""The gateway core's words: what can happen to it, and what it orders.

Messages of workers and control come as they are: they say themselves whom they are about.
"""

import msgspec

from attacca.errors import AttaccaError
from attacca.gateway.core.catalogue import AskCatalogue
from attacca.gateway.core.charted import Charted
from attacca.gateway.core.inflight import Client, Inflight
from attacca.model.doors import Doors
from attacca.model.endpoints import AskEndpoints, Endpoints, EndpointsChanged, Loads, StartsFail
from attacca.model.events import FunctionCalled
from attacca.model.invocation import Failed, Outcome, Request
from attacca.model.messages import (
    Catalogue,
    Deleted,
    Deployed,
    Flow,
    FromWorker,
    Members,
    ResponseBody,
    ResponseHead,
    Send,
    Started,
    ToWorker,
    WorkerLeft,
)

# What a client does.


class Arrived(msgspec.Struct, frozen=True, gc=False):
    """Somebody asks for an invocation: `id` is its name from here on. `at` in seconds since 1970."""

    id: str
    at: float
    function: str
    request: Request
    client: Client


class Refused(msgspec.Struct, frozen=True):
    """HTTP has refused one by itself; it is counted with the others."""

    function: str
    code: str


class BodyCame(msgspec.Struct, frozen=True, gc=False):
    """More of a request's body."""

    inflight: Inflight
    data: bytes
    last: bool


class ClientPaused(msgspec.Struct, frozen=True):
    """The client reads its streamed answer slowly (`paused`), or has caught up."""

    inflight: Inflight
    paused: bool


class ClientLeft(msgspec.Struct, frozen=True):
    """The client has gone; `can_finish` says that its whole request is here."""

    inflight: Inflight
    can_finish: bool


class ClientFell(msgspec.Struct, frozen=True):
    """The client will send nothing more, and may have gone; the answer is still wanted, as far as is known."""

    inflight: Inflight


class Amended(msgspec.Struct, frozen=True):
    """It had ended well, but what the function answered cannot be sent; the client has been told."""

    inflight: Inflight
    outcome: Failed


class GivenUp(msgspec.Struct, frozen=True):
    """The client broke the rules in the middle of it, or the function did; the client has been told."""

    inflight: Inflight
    outcome: Failed


class Drain(msgspec.Struct, frozen=True):
    """Take nothing new."""


class Tick(msgspec.Struct, frozen=True):
    """The time of its alarm has come; or the driver felt like it."""


FromClient = Arrived | Refused | BodyCame | ClientPaused | ClientLeft | ClientFell | Amended | GivenUp
FromControl = Catalogue | Deployed | Deleted | Members | Endpoints | EndpointsChanged | StartsFail | Doors
Event = FromClient | FromWorker | WorkerLeft | FromControl | Charted | Drain | Tick

# What is to be done.


class Reject(msgspec.Struct, frozen=True):
    """What was asked for is not admitted."""

    client: Client
    error: AttaccaError


class Pass(msgspec.Struct, frozen=True, gc=False):
    """Tell its client, if that is still there, what its worker has said."""

    inflight: Inflight
    message: Started | ResponseHead | ResponseBody | Flow


class Answer(msgspec.Struct, frozen=True, gc=False):
    """It is over: tell its client, if that is still there, and record it."""

    inflight: Inflight
    outcome: Outcome


class WorkerLost(msgspec.Struct, frozen=True):
    """It was not heard of for too long, and nothing is sent to it any more until it is heard again."""

    worker: str
    why: str


class TellControl(msgspec.Struct, frozen=True):
    """Whoever leads."""

    message: AskEndpoints | Loads


class Dial(msgspec.Struct, frozen=True):
    """Be linked to that worker, there and nowhere else. Its joining is told when it is."""

    worker: str
    address: str  # HOST:PORT


class HangUp(msgspec.Struct, frozen=True):
    """That worker is gone; do not try to be linked to it any more."""

    worker: str


Command = (
    FunctionCalled | TellControl | Send[ToWorker] | Answer | Pass | Reject | AskCatalogue | WorkerLost | Dial | HangUp
)
