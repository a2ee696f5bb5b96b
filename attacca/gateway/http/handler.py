"""The seam on which dialects stand: a request's head goes in, and what is to be done about it comes out.

A dialect is a `Handler`: it knows addresses, names of fields and the shapes of answers, and nothing of sockets, bodies,
limits or queues. What is not its own it hands to the next.
"""

from collections.abc import Callable
from typing import Protocol

import msgspec

from attacca.errors import AttaccaError
from attacca.gateway.core.inflight import Inflight
from attacca.gateway.http import response
from attacca.gateway.http.asgi_adapter import Answers
from attacca.gateway.http.delivery import Delivery
from attacca.gateway.http.peer_uid import Ends
from attacca.gateway.http.request import Head
from attacca.gateway.http.response import Fields, Headers, Whole
from attacca.model.invocation import Outcome


class Told(Protocol):
    """How what becomes of an invocation is said. `taken` is None where it was not admitted."""

    def outcome(self, outcome: Outcome, taken: Inflight) -> Whole:
        """
        Raises:
            BadResponse: the function answered with what HTTP does not allow.
        """

    def error(self, error: AttaccaError, taken: Inflight | None) -> Whole: ...

    def head(self, headers: Headers, taken: Inflight) -> Fields:
        """The fields of an answer that comes in pieces.

        Raises:
            BadResponse: they are nothing that can be sent.
        """


class Plainly(msgspec.Struct, frozen=True):
    """As attacca says it: the function's own answer, and beside it which invocation that was."""

    def outcome(self, outcome: Outcome, taken: Inflight) -> Whole:
        return traced(response.of_outcome(outcome), taken)

    def error(self, error: AttaccaError, taken: Inflight | None) -> Whole:
        return traced(response.of_error(error), taken)

    def head(self, headers: Headers, taken: Inflight) -> Fields:
        return response.clean(headers) + response.trace(taken)


def traced(answer: Whole, taken: Inflight | None) -> Whole:
    if taken is None:
        return answer
    return Whole(answer.status, answer.fields + response.trace(taken), answer.body)


PLAINLY: Told = Plainly()


class Invoke(msgspec.Struct, frozen=True, gc=False):
    """Run a function with the request's body; refused where its sender may not call functions."""

    function: str
    method: str = "POST"
    path: str = "/"  # below the function's own address
    query: str = ""
    content_type: str = ""
    headers: Headers = ()  # with these it is told who asks, too
    client: str = ""
    port: int = 0
    scheme: str = "http"
    takes_streams: bool = False  # a large body may go to it in pieces
    beside: tuple[tuple[bytes, bytes], ...] = ()  # fields of whatever it is answered with
    told: Told = PLAINLY


NO_PLAN = Invoke("")


class Deliver(msgspec.Struct, frozen=True):
    """Collect its body, which is charged to the function, and hand it on; refused where its sender may not call
    functions. `plan`: whose fields beside the answer go with it."""

    function: str
    take: Callable[[bytes, Answers], Delivery]
    plan: Invoke = NO_PLAN

    def begin(self, refusal: AttaccaError | None, body: bytes, answers: Answers) -> Delivery | None:
        """None: it is answered."""
        if refusal is not None:
            answers.respond(PLAINLY.error(refusal, None))
            return None
        delivery = self.take(body, answers)
        return None if delivery.is_over else delivery


class Serve(msgspec.Struct, frozen=True):
    """Answer at once. Its body is not waited for."""

    answer: Whole


class Refuse(msgspec.Struct, frozen=True):
    """Answer with this error at once."""

    error: AttaccaError


class Admin(msgspec.Struct, frozen=True):
    """Hand it to the admin API's application. `by`: a head to be asked by in place of that which came."""

    path: str
    query: str
    by: Head | None = None


Action = Invoke | Deliver | Serve | Refuse | Admin


class Handler(Protocol):
    def handle(self, head: Head, ends: Ends) -> Action:
        """What to do about a request of which no more than this head need have come. Asked twice, where the body comes
        later than the head: it changes nothing."""
