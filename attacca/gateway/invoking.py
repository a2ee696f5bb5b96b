"""Functions that event functions call: a worker asks for them, and is told what came of it."""

from collections.abc import Callable

from attacca.gateway.attempt import Attempt
from attacca.gateway.driver import Gateway
from attacca.kernel.text import kind_of
from attacca.model.events import EVENT_BYTES, FunctionCalled, FunctionReplied, ReplyKind
from attacca.model.invocation import Call, FunctionError, Ok, Outcome, Request
from attacca.model.messages import ToWorker

BAD = 400  # from this status on an answer is none
SHOWN = 500  # bytes of such an answer


def invoke(gateway: Gateway, send: Callable[[str, ToWorker], None], asked: FunctionCalled) -> None:
    """Ends in a FunctionReplied, unless the worker is gone by then."""

    def over(outcome: Outcome, _: Call | None = None) -> None:
        send(asked.worker, reply(asked, outcome))

    request = Request(asked.data, kind_of(asked.data))
    error = gateway.invoke(asked.function, request, Attempt(gateway, EVENT_BYTES, over))
    if error is not None:
        why = f"{error.message} ({error.hint})" if error.hint else error.message
        send(asked.worker, FunctionReplied(asked.id, ReplyKind.ERROR, why.encode()))


def reply(asked: FunctionCalled, outcome: Outcome) -> FunctionReplied:
    if isinstance(outcome, Ok) and outcome.status < BAD:
        kind = ReplyKind.REPLY if outcome.body else ReplyKind.NOTHING
        return FunctionReplied(asked.id, kind, outcome.body)
    if isinstance(outcome, Ok):
        shown = outcome.body[:SHOWN].decode("utf-8", "replace")
        why = f"{asked.function} answered with the status {outcome.status}: {shown}"
    elif isinstance(outcome, FunctionError):
        why = f"{asked.function} raised {outcome.type}: {outcome.message}"
    else:
        why = f"{asked.function}: {outcome.message}"
    return FunctionReplied(asked.id, ReplyKind.ERROR, why.encode())
