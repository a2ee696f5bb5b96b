"""What the event functions of this worker did, for whoever wants to know: samples for control, counts for a metrics
page, lines for a log. There is none of it where nobody does.

    instantiate ──▶ init ──▶ (cast | call) ... ──▶ stop ──▶ exit: Ok, CodeError or InternalError
"""

from bisect import bisect_left
from enum import StrEnum

from attacca.model.events import EventKind
from attacca.model.function import Image, PodImage, ResourceClass, WasmModule
from attacca.model.invocation import Failed
from attacca.model.messages import Logged
from attacca.model.samples import Entry, Measure, Sample
from attacca.worker.config import LEVELS, TelemetryConfig
from attacca.worker.core.events import Command, Write
from attacca.worker.core.mailboxes import EventInstance, Stage, Waiting

SAMPLES_MOST = 5000  # between two takings, of samples and of entries
ENTRY_CHARACTERS = 4096
TARGET_CHARACTERS = 100
BOUNDS = (  # seconds: those of the original, and others where handlers are in fact
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
    0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
MEASURES = {
    EventKind.INIT: Measure.INIT, EventKind.CAST: Measure.CAST, EventKind.CALL: Measure.CALL,
    EventKind.STOP: Measure.STOP,
}  # fmt: skip
OF_CODE = ("bad_function", "sandbox_lost", "out_of_memory", "bad_response", "timeout")  # ends that are the code's own


class Exit(StrEnum):
    OK = "Ok"
    CODE_ERROR = "CodeError"
    INTERNAL_ERROR = "InternalError"


class Histogram:
    """Seconds. `counts` has one more than there are bounds."""

    __slots__ = ("count", "counts", "sum")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.count = 0
        self.sum = 0.0

    def __repr__(self) -> str:
        return f"<Histogram of {self.count}, {self.sum:g} s>"

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.count += 1
        self.sum += seconds


class Telemetry:
    def __init__(self, config: TelemetryConfig) -> None:
        self.config = config
        self._level = LEVELS.index(config.log_level)
        self._is_page = bool(config.metrics_url)
        self._wall: float | None = None  # what is added to the clock to have seconds since 1970
        self._samples: list[Sample] = []
        self._entries: list[Entry] = []
        self._lost = 0
        self.made: dict[str, str] = {}  # by instance whose code is there: the type of its function
        self.executions: dict[tuple[str, str, str], Histogram] = {}  # by instance, its type, Cast or Call
        self.transfers: dict[str, Histogram] = {}  # by instance
        self.exits: dict[tuple[str, str], int] = {}  # by type of function, and how

    def __repr__(self) -> str:
        return f"<Telemetry {len(self._samples)} samples, {len(self._entries)} entries, {self._lost} lost>"

    # What is told of it.

    def take(self, now: float, wall: float) -> tuple[tuple[Sample, ...], tuple[Entry, ...], int]:
        """Since the time before, and how much was lost. `wall`: the time of day, which is known from then on."""
        self._wall = wall - now
        taken = tuple(self._samples), tuple(self._entries), self._lost
        self._samples, self._entries, self._lost = [], [], 0
        return taken

    def at(self, now: float) -> float:
        """Seconds since 1970; 0: that is not known yet."""
        return 0.0 if self._wall is None else now + self._wall

    # What happens.

    def instantiated(self, now: float, instance: EventInstance, seconds: float, out: list[Command]) -> None:
        self.made[instance.id] = type_of(instance)
        self._measured(now, instance, Measure.INSTANTIATE, seconds, "info", out)

    def ended(
        self, now: float, instance: EventInstance, handled: Waiting | None, seconds: float, out: list[Command]
    ) -> None:
        """One of its handlers. `handled`: None: its init, or its stop."""
        if handled is None:
            kind = EventKind.INIT if instance.stage is Stage.BEGINNING else EventKind.STOP
        else:
            kind = EventKind.CALL if handled.event.stream else EventKind.CAST
            if handled.event.created:
                self.transferred(now - seconds, instance, handled.event.created, out)
        self.ran(now, instance, kind, seconds, out)

    def ran(self, now: float, instance: EventInstance, kind: EventKind, seconds: float, out: list[Command]) -> None:
        is_event = kind is EventKind.CAST or kind is EventKind.CALL
        if is_event and self._is_page:
            key = (instance.id, self.made[instance.id], "Call" if kind is EventKind.CALL else "Cast")
            found = self.executions.get(key)
            if found is None:
                found = self.executions[key] = Histogram()
            found.add(seconds)
        self._measured(now, instance, MEASURES[kind], seconds, "debug" if is_event else "info", out)

    def transferred(self, now: float, instance: EventInstance, created: float, out: list[Command]) -> None:
        """Clocks of two machines may differ: what seems to come before it was sent took no time."""
        seconds = max(self.at(now) - created, 0.0)
        if self._is_page:
            found = self.transfers.get(instance.id)
            if found is None:
                found = self.transfers[instance.id] = Histogram()
            found.add(seconds)
        self._measured(now, instance, Measure.TRANSFER, seconds, "debug", out)

    def exited(self, instance: EventInstance, error: Failed, out: list[Command]) -> None:
        """It is no more; nor are its numbers on the page."""
        kind, how = type_of(instance), exit_of(error)
        self.made.pop(instance.id, None)
        self.exits[(kind, how)] = self.exits.get((kind, how), 0) + 1
        for word in ("Cast", "Call"):
            self.executions.pop((instance.id, kind, word), None)
        self.transfers.pop(instance.id, None)
        level = "info" if how is Exit.OK else "error"
        self._write(instance, level, f"exit: {how} ({error.message})", out)

    def told(self, now: float, instance: EventInstance, line: Logged) -> None:
        """By its own code, with a target."""
        if not self.config.performance_samples:
            return
        if len(self._entries) >= SAMPLES_MOST:
            self._lost += 1
            return
        text = line.text.removeprefix(f"{line.target}: ").rstrip("\n")[:ENTRY_CHARACTERS]
        target = line.target[:TARGET_CHARACTERS]
        self._entries.append(Entry(instance.id, self.at(now), line.stream, target, text))

    def _measured(
        self, now: float, instance: EventInstance, measure: Measure, seconds: float, level: str, out: list[Command]
    ) -> None:
        if self.config.performance_samples:
            if len(self._samples) < SAMPLES_MOST:
                self._samples.append(Sample(instance.id, measure, self.at(now), seconds))
            else:
                self._lost += 1
        if self._level:
            self._write(instance, level, f"{measure}: {seconds * 1e3:.3f} ms", out)

    def _write(self, instance: EventInstance, level: str, text: str, out: list[Command]) -> None:
        if LEVELS.index(level) <= self._level:
            revision = instance.state.revision
            out.append(Write(Logged(revision.function, revision.id, instance.id, "", level, f"telemetry: {text}\n")))


def telemetry(config: TelemetryConfig) -> Telemetry | None:
    """None: nobody wants to know."""
    is_wanted = config.performance_samples or config.metrics_url or config.log_level != "off"
    return Telemetry(config) if is_wanted else None


def exit_of(error: Failed) -> Exit:
    if error.code == "cancelled":
        return Exit.OK
    return Exit.CODE_ERROR if error.code in OF_CODE else Exit.INTERNAL_ERROR


def type_of(instance: EventInstance) -> str:
    """As the original calls it; of a resource its class."""
    artefact = instance.state.revision.artefact
    if isinstance(artefact, ResourceClass):
        return artefact.name
    if isinstance(artefact, WasmModule):
        return "RUST_WASM"
    return "CONTAINER" if isinstance(artefact, Image | PodImage) else "PYTHON"
