"""What a worker's core has seen can be told, and holds nothing that is heavy."""

from attacca.model.events import Delivery, Event, EventKind, Passed, ReplyKind, StateSynced
from attacca.model.invocation import FunctionError, Ok
from attacca.model.messages import Catalogue, Evict, Send
from attacca.model.story import Recent
from attacca.worker.config import WorkerConfig
from attacca.worker.core.events import Command, Deliver, NeighbourSaid, Respond
from attacca.worker.core.recent import remembering
from attacca.worker.core.reports import EventAsked, EventSent, SandboxGone, StateOffered
from attacca.worker.runtime.scripted import Answer, Times
from tests.worker.stage import Stage

SECRET = b"what was asked"


def stage(**more: object) -> tuple[Stage, Recent]:
    found, recent = Stage(WorkerConfig(name="w", memory_mb=300), times=Times(run_ms=500.0), **more), Recent()  # type: ignore[arg-type]
    found.drive._handle = remembering(found.drive._handle, recent)
    return found, recent


def story(recent: Recent, subject: str) -> list[str]:
    return [moment.what for moment in recent.tell(subject, "w", 0.0)]


def test_the_story_of_an_invocation_and_of_its_sandbox() -> None:
    on, recent = stage()
    cold = on.send(on.deploy("echo"))
    on.play(2)
    warm = on.send(on.core.catalogue.states["echo@1"].revision)
    on.play(2)
    on.tell(Evict("echo"))
    on.play(2)
    assert story(recent, cold) == ["is given to the worker", "handed to a sandbox", "has run"]
    assert story(recent, warm) == ["handed to a sandbox", "has run"], "at once: nobody was before it"
    assert story(recent, on.started[warm].sandbox) == [
        *("sandbox ordered", "sandbox ready", "handed to a sandbox", "has run"),
        *("handed to a sandbox", "has run", "sandbox killed", "sandbox gone"),
    ]
    (killed,) = [one for one in recent.tell(on.started[warm].sandbox, "w", 0.0) if one.what == "sandbox killed"]
    assert killed.about.endswith("why evicted by order")


def test_what_went_wrong_is_told_without_its_traceback() -> None:
    outcome = FunctionError("ValueError", "no", "a long traceback")
    on, recent = stage(handler=lambda *_: Answer(run_ms=5.0, outcome=outcome))
    name = on.send(on.deploy("echo"))
    on.play(1)
    assert story(recent, name)[-2:] == ["has run", "ended"]
    sandbox = on.started[name].sandbox
    on.tell(SandboxGone(sandbox, "sandbox_lost", "it " + "was " * 999))
    (gone,) = [one for one in recent.tell(sandbox, "w", 0.0) if one.what == "sandbox gone"]
    assert gone.about.startswith("sandbox_lost: it was")
    assert "traceback" not in repr(recent.entries)
    assert len(repr(recent.entries)) < 20_000


def test_bodies_and_catalogues_are_not_kept() -> None:
    on, recent = stage(handler=lambda *_: Answer(run_ms=5.0, outcome=Ok(SECRET)))
    echo = on.deploy("echo")
    on.tell(Catalogue(7, (echo,) * 50))
    for _ in range(3):
        on.send(echo, 2)
        on.play(1)
    kept = repr(recent.entries)
    assert repr(SECRET) not in kept
    assert "b'echo-1'" not in kept, "the body of its request"
    assert ("Catalogue", "", "", 7) in [entry[1] for entry in recent.entries]


def test_of_events_between_instances_what_they_carry_is_not_kept() -> None:
    recent, passed = Recent(), Passed(1, 1, Event("w.b.1", "w.a.1@n", SECRET))
    delivered = Deliver("w.b.1", Delivery("w.b.1/1", EventKind.CAST, "w.a.1@n", SECRET))
    ordered: list[Command] = [delivered, Respond("w.a.1", 1, ReplyKind.REPLY, SECRET), Send("m", passed)]
    handle = remembering(lambda _now, _event: [*ordered, Send("control", StateSynced("n", "w.b.1", 1, SECRET))], recent)
    handle(0.0, EventSent("w.a.1", "out", is_instance=False, data=SECRET))
    handle(0.0, EventAsked("w.a.1", 1, "out", is_instance=False, data=SECRET))
    handle(0.0, StateOffered("w.b.1", 1, SECRET))
    handle(0.0, NeighbourSaid("m", b"1", passed))
    assert SECRET.decode() not in repr(recent.entries)
    follows = ["Deliver", "StateSynced"]
    assert story(recent, "w.b.1") == [*follows, "StateOffered", *follows, *follows]
