"""What a worker is told of the functions that its event functions call."""

import asyncio

from attacca.gateway.invoking import invoke, reply
from attacca.kernel.clock import ManualClock
from attacca.model.events import FunctionCalled, FunctionReplied, ReplyKind
from attacca.model.invocation import Failed, FunctionError, Ok, Outcome
from attacca.model.messages import ToWorker
from tests.gateway.play import gateway, revision


def test_it_is_told_the_answer_or_why_there_is_none() -> None:
    told: list[tuple[str, ToWorker]] = []

    async def ask() -> list[str]:
        door, worker, _ = gateway(ManualClock(), revision("echo"))
        for name, data in (("echo", b'{"a": 1}'), ("echo", b""), ("nothing", b"")):
            invoke(door, lambda *said: told.append(said), FunctionCalled("w", "1", name, data))
        door.close()
        return [one.request.content_type for one in worker.dispatched]

    kinds = asyncio.run(ask())
    assert [peer for peer, _ in told] == ["w", "w", "w"]
    answered, empty, refused = [said for _, said in told if isinstance(said, FunctionReplied)]
    assert answered == FunctionReplied("1", ReplyKind.REPLY, b'{"a": 1}')
    assert empty == FunctionReplied("1", ReplyKind.NOTHING)
    assert (refused.kind, b"no function is called 'nothing'" in refused.data) == (ReplyKind.ERROR, True)
    assert kinds == ["application/json", "text/plain; charset=utf-8"]


def test_what_is_no_answer_says_so() -> None:
    outcomes: dict[str, Outcome] = {
        "f answered with the status 404: nothing": Ok(b"nothing", status=404),
        "f raised KeyError: 'a'": FunctionError("KeyError", "'a'"),
        "f: it took too long": Failed("timeout", "it took too long"),
    }
    asked = FunctionCalled("w", "1", "f", b"")
    for why, outcome in outcomes.items():
        assert reply(asked, outcome) == FunctionReplied("1", ReplyKind.ERROR, why.encode())
