"""Ordinary functions that instances call by a gateway."""

from attacca.model.events import Event, FunctionCalled
from attacca.model.messages import Send
from attacca.worker.core.events import Command
from attacca.worker.core.invoking import Invoking


def call(stream: str) -> Event:
    return Event("hello@/functions", "a@w", b"body", stream)


def test_gateways_are_asked_in_turn() -> None:
    invoking, out = Invoking("w"), list[Command]()
    assert "knows no gateway" in invoking.ask("hello", call("1"), out)
    for peer in ("control", "g1", "g2", "g1"):
        invoking.join(peer)
    assert [invoking.ask("hello", call(stream), out) for stream in "123"] == ["", "", ""]
    asked = FunctionCalled("w", "1", "hello", b"body")
    assert out[0] == Send("g2", asked)
    assert [one.peer for one in out if isinstance(one, Send)] == ["g2", "g1", "g2"]
    assert repr(invoking) == "<Invoking 3 calls open at 2 gateways>"
    assert "not cast to" in invoking.ask("hello", call(""), out)
    assert invoking.lose("g2") == ["1", "3"], "and is asked no more"
    invoking.open.clear()
    assert invoking.ask("hello", call("4"), out) == ""
    assert invoking.open == {"4": "g1"}
