"""How one worker behaves. Every number says its unit; a policy that does not exist stops the start."""

import re
from math import inf
from typing import Annotated, Literal

import msgspec

from attacca.kernel.registry import Choice
from attacca.model.machine import Device
from attacca.model.resources import Resources, stated

Positive = Annotated[float, msgspec.Meta(gt=0)]
Label = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]


URL = re.compile(r"^http://(\[[0-9a-fA-F:]+\]|[^/:\s\[\]]+):(\d{1,5})/?(?!\n)$")
LEVELS = ("off", "error", "warning", "info", "debug", "trace")


class TelemetryConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is told of the event functions of a worker, beside what `attacca workflow inspect` shows."""

    metrics_url: str = ""  # http://HOST:PORT, where Prometheus finds a page of them
    log_level: Literal["off", "error", "warning", "info", "debug", "trace"] = "off"  # of what happens in their lives
    performance_samples: bool = False  # how long each thing took, to control

    def __post_init__(self) -> None:
        self.metrics_at()

    def metrics_at(self) -> tuple[str, int] | None:
        """The address of the page; None: there is none.

        Raises:
            ValueError: `metrics_url` says none.
        """
        if not self.metrics_url:
            return None
        found = URL.match(self.metrics_url)
        if found is None or int(found[2]) > 65_535:
            raise ValueError(f"metrics_url is http://HOST:PORT, not {self.metrics_url[:80]!r}")
        return found[1].strip("[]"), int(found[2])


class AcceleratorsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The devices of a worker, and how invocations that need one wait for it."""

    find: bool = True  # by NVIDIA's library or nvidia-smi; what is found is added to what is declared
    devices: Annotated[tuple[Device, ...], msgspec.Meta(max_length=64)] = ()  # name, and memory_mb and model of each
    at_once: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1  # invocations, for each device
    queueing: Choice = Choice(policy="mqfq")  # who is next on them
    dispatch: Choice = Choice(policy="estimate")  # what runs on them, of what may do without
    look_s: NotNegative = 10.0  # how often it is looked whether those that were found are still there; 0: never

    def __post_init__(self) -> None:
        names = [device.name for device in self.devices]
        if len(set(names)) != len(names):
            raise ValueError("two devices have the same name")


class WorkerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str = "worker"
    memory_mb: Annotated[int, msgspec.Meta(ge=32)] = 4096  # what all sandboxes and templates together may hold
    memory_buffer_mb: Annotated[int, msgspec.Meta(ge=0)] = 0  # kept free in the background
    buffer_check_s: Positive = 0.5  # the buffer is restored this long after it was found short
    cores: Annotated[int, msgspec.Meta(ge=1)] = 1
    queueing: Choice = Choice(policy="fcfs")
    concurrency: Choice = Choice(policy="fixed", options={"count": 64})  # functions wait more often than they compute
    keepalive: Choice = Choice(policy="ttl")
    templates: bool = True  # keep an imported copy of each revision, from which its sandboxes are forked
    template_retry_s: Positive = 10.0  # after a template failed; doubles with each failure, up to 32 times
    template_kept_s: Positive = 30.0  # a checked revision's template waits this long for its deployment
    start_retry_s: Positive = 1.0  # before sandboxes that nobody waits for are tried again; doubles up to 64 times
    patience_s: Positive = 1.0  # who waits longer for memory gets it piece by piece, as sandboxes come to rest
    check_timeout_s: Positive = 60.0  # a check that finds no memory is given up after this long
    poll_us: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 400  # a lone invocation is awaited awake; 0: asleep
    ahead: Annotated[int, msgspec.Meta(ge=0, le=12)] = 8  # what a busy sandbox of a short function has next; 0: nothing
    cut_off_s: NotNegative = 300.0  # event functions end when no control was heard of for so long; 0: they never do
    drain_s: NotNegative = 30.0  # what runs may take this long to finish at shutdown
    body_hold_kb: Annotated[int, msgspec.Meta(ge=1)] = 256  # of a streamed body that comes before its turn; then: pause
    body_hold_kb_max: Annotated[int, msgspec.Meta(ge=1)] = 8192  # beyond this the invocation is refused
    body_hold_mb: Annotated[int, msgspec.Meta(ge=1)] = 128  # of all of them; half of it, at most, for one function
    accelerators: AcceleratorsConfig = AcceleratorsConfig()
    telemetry: TelemetryConfig = TelemetryConfig()
    labels: Annotated[tuple[Label, ...], msgspec.Meta(max_length=64)] = ()  # what parts of workflows may require
    tee: bool | None = None  # it runs in a trusted environment; unset: what is found says so
    tpm: bool | None = None  # likewise, it has such a chip
    latency_ms: dict[str, NotNegative] = {}  # to other workers, by name, as parts of workflows may require it

    @property
    def gpu(self) -> float:
        return float(len(self.accelerators.devices))

    @property
    def gpu_memory_mb(self) -> float:
        devices = self.accelerators.devices
        return float(sum(device.memory_mb for device in devices)) if all(one.memory_mb for one in devices) else inf

    @property
    def resources(self) -> Resources:
        """What all sandboxes and templates together may hold. What it does not name is not counted here."""
        return stated(self, unsaid=inf)

    def __post_init__(self) -> None:
        if self.memory_buffer_mb >= self.memory_mb:
            raise ValueError(
                f"memory_buffer_mb ({self.memory_buffer_mb}) must be less than memory_mb ({self.memory_mb})"
            )
        if self.body_hold_kb > self.body_hold_kb_max:
            raise ValueError("body_hold_kb must not exceed body_hold_kb_max")
