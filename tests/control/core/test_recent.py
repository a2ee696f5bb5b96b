"""Control's part of a story: what it ordered and heard of a sandbox, and who came and went."""

from attacca.control.core.events import Announce, Command, Event, Tick
from attacca.control.core.recent import remembering
from attacca.model.endpoints import AskSandboxes, SandboxDown, SandboxUp, StartSandbox, StopSandbox
from attacca.model.invocation import Failed
from attacca.model.messages import Catalogue, Deleted, Deployed, GatewayJoined, GatewayLeft, Send, WorkerLeft
from attacca.model.story import Fact, Recent, aloud
from tests.worker.stage import revision


def test_what_is_remembered_is_told_of_whom_it_is() -> None:
    answers: list[list[Command]] = [
        [Send("w1", StartSandbox("c1-1", "f", "f@1", "one waits")), Send("w1", AskSandboxes())],
        [],
        [Send("w1", StopSandbox("c1-1", "enough"))],
        [],
        [Announce(Deployed(2, revision("f"))), Announce(Catalogue(1, ())), Announce(Deleted(3, "f"))],
        [],
        [],
        [],
        [],
    ]
    events: list[Event] = [
        Tick(), SandboxUp("w1", "c1-1"), Tick(), SandboxDown("w1", "c1-1", Failed("stopped", "by order")), Tick(),
        Tick(), GatewayJoined("g", "http://h"), GatewayLeft("g"), WorkerLeft("w1", "cut"),
    ]  # fmt: skip
    recent, told = Recent(), list[Fact]()
    handle = aloud(remembering(lambda _, __: answers.pop(0), recent), recent, told.append)
    for at, event in enumerate(events):
        handle(float(at), event)
    assert [(one.at, one.what, one.about) for one in recent.tell("c1-1", "control", 0.0)] == [
        (0.0, "sandbox ordered by control", "w1, f@1, one waits"),
        (1.0, "takes invocations", "w1"),
        (2.0, "sandbox stopped by control", "w1, enough"),
        (3.0, "takes no invocations", "w1, stopped: by order"),
    ]
    assert [fact[0] for fact in told] == [
        "StartSandbox", "SandboxUp", "StopSandbox", "SandboxDown", "Deployed", "Deleted", "GatewayJoined",
        "GatewayLeft", "WorkerLeft",
    ]  # fmt: skip


def test_who_tells_nobody_is_not_in_the_way() -> None:
    def handle(_: float, __: Event) -> list[Command]:
        return []

    assert aloud(handle, Recent(), None) is handle
