"""One file says what is run: workload, functions, system, hardware, faults, seeds; live and simulated alike."""

from collections.abc import Iterator
from math import inf, isfinite
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from attacca.errors import BadConfig
from attacca.load.workload.choices import spelt_out
from attacca.model.function import Name
from attacca.model.membership import ATTEMPTS, SILENT_S

Positive = Annotated[float, msgspec.Meta(gt=0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
MOST = 2**53  # beyond it a number of JSON, and of our own arithmetic, is no longer exact
Count = Annotated[int, msgspec.Meta(ge=1, le=MOST)]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file: a key that it does not know stops the run and is named."""


class Distribution(Part, frozen=True, kw_only=True):
    """A duration in milliseconds. `constant`, `exponential` and `lognormal` use mean_ms (lognormal with sigma, of the
    logarithm), `uniform` both bounds, `empirical` draws from values_ms, `bounded_pareto` has alpha and both bounds."""

    kind: Literal["constant", "exponential", "lognormal", "uniform", "empirical", "bounded_pareto"] = "constant"
    mean_ms: NotNegative = 0.0
    sigma: NotNegative = 1.0
    low_ms: NotNegative = 0.0
    high_ms: NotNegative = 0.0
    alpha: Positive = 1.0
    values_ms: tuple[NotNegative, ...] = ()

    def __post_init__(self) -> None:
        if not all(map(isfinite, (self.mean_ms, self.sigma, self.low_ms, self.high_ms, self.alpha, *self.values_ms))):
            raise ValueError("a duration must be finite")
        if self.kind == "uniform" and self.high_ms < self.low_ms:
            raise ValueError("uniform: low_ms must not exceed high_ms")
        if self.kind == "bounded_pareto" and not 0 < self.low_ms < self.high_ms:
            raise ValueError("bounded_pareto: low_ms must be more than 0 and less than high_ms")
        if self.kind == "empirical" and not self.values_ms:
            raise ValueError("empirical: give values_ms")


class Shape(Part, frozen=True, kw_only=True):
    """How many arrive when. Rates per second. `gamma` is bursty by cv, `mmpp` by its two rates."""

    kind: Literal["constant", "poisson", "gamma", "mmpp", "ramp", "step", "spike", "sine"] = "poisson"
    rate: NotNegative = 1.0
    to_rate: NotNegative = 0.0  # ramp: at the end; step and spike: after or during; mmpp: of the high state; sine: peak
    cv: Positive = 1.0
    at_s: NotNegative = 0.0  # step and spike: when; constant: the first
    for_s: NotNegative = 0.0  # spike: how long; sine: the period; mmpp: mean time in a state

    def __post_init__(self) -> None:
        if not all(map(isfinite, (self.rate, self.to_rate, self.cv))):
            raise ValueError("a rate must be finite")


class Body(Part, frozen=True, kw_only=True):
    """What a function does for its duration: it is `busy`, `sleep`s, holds `memory`, does `io`, or is an example.
    `busy`: the share of its duration that a busy one computes; for the rest it waits. In a simulation that shares its
    cores, only what is computed needs one. `path`: what follows its name in the address, with its query."""

    kind: Literal["busy", "sleep", "memory", "io", "example"] = "busy"
    busy: Share = 1.0
    example: str = ""
    path: str = ""
    memory_mb: Annotated[int, msgspec.Meta(ge=0, le=MOST)] = 0

    @property
    def computing(self) -> float:
        """The share of its duration in which it needs a core."""
        match self.kind:
            case "sleep" | "io":
                return 0.0
            case "example":
                return 1.0
            case _:
                return self.busy


class Accelerated(Part, frozen=True, kw_only=True):
    """How a function is on an accelerator. Of a simulation only."""

    share: Annotated[float, msgspec.Meta(ge=0.001, le=64)] = 1.0  # of a device, or whole ones, of one sandbox
    duration: Distribution = Distribution(mean_ms=10.0)  # of its handler there
    start: Distribution = Distribution()  # besides a cold start
    data_mb: NotNegative = 0.0  # of a sandbox, on the device: brought back after others took its place
    either: bool = True  # it may run without a device too


class FunctionPlan(Part, frozen=True, kw_only=True):
    name: Name
    memory_mb: Count = 128
    duration: Distribution = Distribution(mean_ms=10.0)
    cold: Distribution | None = None  # unset: the hardware's
    shape: Shape | None = None  # unset: it is only called by the trace or by the clients
    weight: Positive = 1.0  # of closed-loop clients' choices
    body: Body = Body()
    concurrency: Count = 1
    timeout_s: Positive = 300.0
    wait_s: Positive = 300.0
    queue: Count = 1_000_000
    idempotent: bool = False  # it may be run again when its worker or its sandbox is lost
    copies: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 1  # so many alike, called NAME-1, NAME-2, ...
    gpu: Accelerated | UnsetType = UNSET  # unset, here and below: a scenario without has the hash that it had
    pure: bool | UnsetType = UNSET  # it only computes, with a core to itself until it is done; simulated alone


class WorkflowPlan(Part, frozen=True, kw_only=True):
    """Workflows of event functions, and what comes to the first of each: `chain`, `length` functions one after the
    other; `calls`, a chain in which each calls the next and waits for its reply; `map_reduce`, one that sends to
    `width` others at once, and one that waits for all of these."""

    name: Name
    template: Literal["chain", "calls", "map_reduce"] = "chain"
    length: Annotated[int, msgspec.Meta(ge=1, le=100)] = 3  # of a chain, or of calls
    width: Annotated[int, msgspec.Meta(ge=1, le=64)] = 3  # of a map_reduce
    memory_mb: Count = 128  # of each function
    duration: Distribution = Distribution(mean_ms=10.0)  # of what each does with one event
    shape: Shape = Shape()  # of the events that come to each workflow, while it lives
    copies: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1  # so many, called NAME-1, NAME-2, ...
    starts: Shape | None = None  # when they are started, one after the other; unset: all at the beginning
    replicas: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1  # of each function but the first
    standby: bool = False  # beside each there is one that takes over at once
    syncs: bool = False  # each keeps its state after each event
    timeout_s: Positive = 30.0  # of a call
    lifetime: Distribution | None = None  # after which one is stopped; unset: not before the end

    @property
    def functions(self) -> int:
        return self.width + 2 if self.template == "map_reduce" else self.length

    def __post_init__(self) -> None:
        if self.standby and self.replicas > 1:
            raise ValueError("a workflow has replicas of its functions, or those that stand by")

    def as_function(self) -> FunctionPlan:
        """What comes to it is drawn, and recorded, as what comes to a function."""
        return FunctionPlan(
            name=self.name, memory_mb=self.memory_mb, duration=self.duration, shape=self.shape, copies=self.copies
        )


class TraceUse(Part, frozen=True, kw_only=True):
    """Which part of which trace. `spread`: where inside its minute an invocation falls. `sample`: so many functions.
    `keep`: what a sample has of the whole."""

    path: str
    format: str = "auto"
    start_minute: Annotated[int, msgspec.Meta(ge=0, le=MOST)] = 0
    minutes: Count | None = None
    spread: Literal["uniform", "exponential", "equidistant"] = "uniform"
    sample: Count | None = None
    keep: Literal["shape", "load", "both"] = (
        "both"  # of a sample: what functions are like, or how often they are called
    )
    thin: Share = 1.0  # the share of invocations that is kept
    time_scale: Positive = 1.0  # 2: the trace runs at half its speed
    duration_scale: Positive = 1.0
    duration_most_ms: Positive = 900_000.0
    memory_least_mb: Count = 32
    body: Body = Body()  # of the functions that only the trace knows
    cold: Literal["trace", "hardware"] = "trace"  # what a cold start takes, where the trace knows it


class Clients(Part, frozen=True, kw_only=True):
    """Closed loop: each client sends its next invocation `think_ms` after its last answer."""

    count: Count = 1
    think: Distribution = Distribution()


class Workload(Part, frozen=True, kw_only=True):
    duration_s: Positive | None = None  # unset: as long as the trace
    warmup_s: NotNegative = 0.0
    settle: bool = False  # leave out what MSER-5 would
    drain_s: NotNegative = 60.0
    trace: TraceUse | None = None
    clients: Clients | None = None


class Choice(Part, frozen=True, kw_only=True):
    policy: str
    options: dict[str, object] = {}


class Accelerators(Part, frozen=True, kw_only=True):
    """What each worker has, all alike. Sandboxes may have more data than a device holds: what was used longest ago
    makes place, and is brought back when it runs; with `prefetch`, as soon as somebody waits for it."""

    count: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    memory_mb: Count = 24_576
    at_once: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1  # invocations, for each device
    transfer_mb_s: Positive = 12_000.0  # to a device
    prefetch: bool = True


class System(Part, frozen=True, kw_only=True):
    workers: Count = 1
    gateways: Count = 1  # of which each has its share of the clients
    controls: Count = 1  # of which one leads
    lease_s: Positive = 2.0  # after so long without a word from the one that leads, another does
    memory_mb: Count = 8192  # of each worker
    cores: Count = 4
    mode: Literal["worker", "cluster"] = "worker"
    queueing: Choice = Choice(policy="fcfs")
    concurrency: Choice = Choice(policy="fixed", options={"count": 64})
    keepalive: Choice = Choice(policy="ttl")
    balancing: Choice = Choice(policy="least_loaded")
    slots: Choice = Choice(policy="latest")  # in mode cluster: which sandbox with a free slot gets an invocation
    scaling: Choice = Choice(policy="knative")  # in mode cluster: how many sandboxes a function has
    placement: Choice = Choice(policy="kubernetes")  # in mode cluster: which worker has the next one made
    prefetch: Literal["none", "on_deploy", "one", "all"] | UnsetType = UNSET  # who fetches what before it is started
    templates: bool = True
    silent_s: Positive = SILENT_S  # a worker that says nothing for so long is lost
    domains: Count = 1  # of workflows, among which the workers are dealt out; of several there is a federation
    cut_off_s: NotNegative = 300.0  # instances of workflows end on a node that hears of no control for so long
    outside: str = ""  # who moves instances of workflows: `restless`, or the file of a program; or `nobody`
    outside_every_s: Positive = 5.0
    attempts: Count = ATTEMPTS  # workers that an invocation is sent to, when one after the other is lost
    accelerators: Accelerators | UnsetType = UNSET
    device_queueing: Choice | UnsetType = UNSET  # who is next on them; unset: mqfq
    dispatch: Choice | UnsetType = UNSET  # what runs on them, of what may do without; unset: estimate


class Power(Part, frozen=True, kw_only=True):
    """What a simulated machine takes: `idle_w`, and for each busy core `core_w` times the third power of `clock`."""

    idle_w: NotNegative = 0.0
    core_w: NotNegative = 0.0
    clock: Positive = 1.0  # of the one that `core_w` was measured at; durations are told for this one


class Hardware(Part, frozen=True, kw_only=True):
    """What the simulated machines cost. `cpu`: `none` (as many at once as asked), `sharing` (processor sharing over all
    cores), `contended` (each core is shared by its own queue, and starts use cores too)."""

    sandbox: Distribution = Distribution(kind="lognormal", mean_ms=5.0, sigma=0.3)
    template: Distribution = Distribution(kind="lognormal", mean_ms=5.0, sigma=0.3)
    template_mb: Count = 16  # what a paused template holds, unless its function reserves less
    code: Distribution = Distribution(mean_ms=0.5)
    imports: Distribution = Distribution(kind="lognormal", mean_ms=50.0, sigma=0.8)
    overhead: Distribution = Distribution(mean_ms=0.1)  # of a warm invocation, beside the handler
    first: Distribution = Distribution()  # besides, of the first in a sandbox
    wakeup: Distribution = Distribution()  # until who has something to do gets a core, where all are taken
    cpu: Literal["none", "sharing", "contended"] = "none"
    background: NotNegative = 0.0  # cores of each worker that are busy with something else than its handlers and starts
    gateway: Distribution = Distribution()  # how long a gateway is busy with an invocation, one after the other
    network: Distribution = Distribution()  # gateway to worker, one way
    network_loss: Share = 0.0
    control: Distribution = Distribution()  # control to gateways and workers, one way: in mode cluster
    store: Distribution = Distribution()  # control to the store, one way
    image_cache: bool = False
    fetch: Distribution = Distribution()  # of an image that is not cached
    wiring: Distribution | UnsetType = UNSET  # of a new sandbox's network; unset: it takes no time
    readiness: Distribution | UnsetType = UNSET  # until a new sandbox takes invocations; unset: the same
    memory_pressure: Share = 0.0  # slow-down of everything when memory is full
    power: Power | UnsetType = UNSET  # unset: energy is not spoken of, and the scenario has the hash that it had


class Fault(Part, frozen=True, kw_only=True):
    """What goes wrong. `at_s` set: then; else drawn, `rate` times an hour."""

    kind: Literal[
        "worker_crash", "sandbox_crash", "slow_worker", "stuck_sandbox", "out_of_memory", "lost_message",
        "late_message", "partition", "clock_skew", "worker_stop", "gateway_crash", "control_crash", "control_stop",
        "store_down", "store_slow", "cut_off", "deaf", "mute", "unruly_function", "domain_crash", "federation_crash",
        "portal_cut",
    ]  # fmt: skip
    at_s: NotNegative | None = None
    rate: NotNegative = 0.0
    for_s: NotNegative = 10.0
    factor: Positive = 2.0  # slow_worker: how much; late_message, clock_skew and store_slow: seconds
    worker: Annotated[int, msgspec.Meta(ge=0, le=MOST)] | None = None

    def __post_init__(self) -> None:
        if self.at_s is None and not 0 < self.rate < inf:
            raise ValueError("a fault needs at_s, or a rate above 0")
        if self.at_s is not None and self.rate:
            raise ValueError("a fault has at_s or a rate, not both")


class Record(Part, frozen=True, kw_only=True):
    sample_s: Annotated[float, msgspec.Meta(ge=0.001)] = 1.0
    invocations: bool = True


class Scenario(Part, frozen=True, kw_only=True):
    name: Name
    about: str = ""
    seed: Annotated[int, msgspec.Meta(ge=-MOST, le=MOST)] = 1
    workload: Workload = Workload()
    functions: tuple[FunctionPlan, ...] = ()
    workflows: tuple[WorkflowPlan, ...] = ()  # in place of functions
    system: System = System()
    hardware: Hardware = Hardware()
    faults: tuple[Fault, ...] = ()
    record: Record = Record()

    def __post_init__(self) -> None:
        if self.workflows and (self.functions or self.workload.trace or self.workload.clients):
            raise ValueError("a scenario has workflows, or else functions, a trace and clients")
        names = [name for plan in _all(self) for name in names_of(plan)]
        if len(set(names)) != len(names):
            raise ValueError(f"two {'workflows' if self.workflows else 'functions'} have the same name")
        if self.workload.trace is None and self.workload.duration_s is None:
            raise ValueError("workload.duration_s is needed where there is no trace")
        if self.workload.trace is None and not _all(self):
            raise ValueError("there is neither a trace nor a function, nor a workflow")
        for fault in self.faults:
            if fault.worker is not None and fault.worker >= self.system.workers:
                raise ValueError(f"a fault of worker {fault.worker}, and workers are 0 to {self.system.workers - 1}")


def names_of(plan: FunctionPlan) -> Iterator[str]:
    if plan.copies == 1:
        yield plan.name
    else:
        yield from (f"{plan.name}-{number}" for number in range(1, plan.copies + 1))


def plans_of(scenario: Scenario) -> tuple[FunctionPlan, ...]:
    """One for each function; copies that are called at a constant rate take turns."""
    plans = _all(scenario)
    if all(plan.copies == 1 for plan in plans):
        return plans
    return tuple(each for plan in plans for each in _copies(plan))


def _all(scenario: Scenario) -> tuple[FunctionPlan, ...]:
    return tuple(plan.as_function() for plan in scenario.workflows) or scenario.functions


def _copies(plan: FunctionPlan) -> Iterator[FunctionPlan]:
    shape = plan.shape
    is_staggered = shape is not None and shape.kind == "constant" and shape.rate > 0
    for number, name in enumerate(names_of(plan)):
        copy = msgspec.structs.replace(plan, name=name, copies=1)
        if is_staggered:
            assert shape is not None
            at_s = shape.at_s + number / plan.copies / shape.rate
            copy = msgspec.structs.replace(copy, shape=msgspec.structs.replace(shape, at_s=at_s))
        yield copy


def read(path: Path) -> Scenario:
    """
    Raises:
        BadConfig: the file cannot be read, or something in it makes no sense; the message names it.
    """
    try:
        return msgspec.convert(spelt_out(msgspec.toml.decode(path.read_bytes())), Scenario)
    except OSError as error:
        raise BadConfig(f"{path}: {error.strerror}", "give the path of a scenario's TOML file") from None
    except ValueError as error:  # also TOML's own, and numbers that Python does not read
        raise BadConfig(f"{path}: {error}", "docs/laboratory.md lists every key") from None
    except RecursionError:
        raise BadConfig(f"{path}: it is nested too deeply", "docs/laboratory.md lists every key") from None
