"""What a scenario will ask of the system, said before anything runs: rates, offered load by Little's law, memory."""

import math

import msgspec

from attacca.load.workload.distributions import mean_ms
from attacca.load.workload.scenario import Clients, Scenario, plans_of
from attacca.load.workload.schedule import Schedule, Target
from attacca.load.workload.shapes import rate_of

BUSY_SHARE = 0.8
ONE_PROCESS_RATE = 5000.0
PERCENTILE_LEAST = 1000  # invocations, below which a p99 says little
STEPS = 1000  # of the search for a shape's highest rate


class FunctionLoad(msgspec.Struct, frozen=True, kw_only=True):
    """What one function is expected to get."""

    function: str
    invocations: float
    rate: float  # per second
    mean_ms: float
    running: float  # at once on average
    memory_mb: int


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    length_s: float
    functions: int
    called: int  # of them, those that are called at all
    invocations: float
    rate: float  # per second
    peak_rate: float
    running: float  # at once on average, if nothing ever waits
    cores: float  # that they keep busy
    cores_there: int
    memory_mb: float  # that running ones reserve on average
    memory_each_mb: int  # one sandbox of every function that is called
    memory_there_mb: int
    cold_ms: float  # what a cold start takes, on average over the functions that are called
    cold_traced: int  # of them, those whose cold starts take what the trace says
    cold_own: int  # and those of which the scenario itself says it; all others take what [hardware] says
    parts: tuple[FunctionLoad, ...]  # the busiest first
    warnings: tuple[str, ...]

    @property
    def processes(self) -> int:
        """So many have to send it, when it is run live."""
        return max(1, math.ceil(self.peak_rate / ONE_PROCESS_RATE))


def expected(scenario: Scenario, schedule: Schedule | None = None) -> Expected:
    """
    Raises:
        BadConfig: something in the scenario makes no sense.
    """
    schedule = Schedule(scenario) if schedule is None else schedule
    length_s = schedule.length_s
    counts = schedule.counts()
    if scenario.workload.clients is not None:
        counts |= _of_clients(scenario, scenario.workload.clients)
    rows = [(schedule.functions[number], many, total_ms) for number, (many, total_ms) in sorted(counts.items())]
    parts = [_part(target, many, total_ms, length_s) for target, many, total_ms in rows if many > 0]
    called = [target for target, many, _ in rows if many > 0]
    computing = {target.name: target.plan.body.computing for target in schedule.functions}
    system = scenario.system
    load = Expected(
        name=scenario.name,
        length_s=length_s,
        functions=len(schedule.functions),
        called=len(parts),
        invocations=sum(part.invocations for part in parts),
        rate=sum(part.rate for part in parts),
        peak_rate=_peak(scenario, schedule, sum(part.rate for part in parts)),
        running=sum(part.running for part in parts),
        cores=sum(part.running * computing[part.function] for part in parts),
        cores_there=system.cores * system.workers,
        memory_mb=sum(part.running * part.memory_mb for part in parts),
        memory_each_mb=sum(part.memory_mb for part in parts),
        memory_there_mb=system.memory_mb * system.workers,
        cold_ms=sum(_cold_ms(scenario, target) for target in called) / max(len(called), 1),
        cold_traced=sum(target.is_cold_traced for target in called),
        cold_own=sum(target.plan.cold is not None and not target.is_cold_traced for target in called),
        parts=tuple(sorted(parts, key=lambda part: (-part.running, part.function))),
        warnings=(),
    )
    return msgspec.structs.replace(load, warnings=(*_of_load(load), *_of_settings(scenario, schedule, load)))


def _cold_ms(scenario: Scenario, target: Target) -> float:
    hardware = scenario.hardware
    if target.plan.cold is not None:
        return mean_ms(target.plan.cold)
    more = [one for one in (hardware.wiring, hardware.readiness) if one]
    return sum(map(mean_ms, (hardware.sandbox, hardware.code, hardware.imports, *more)))


def _part(target: Target, many: float, total_ms: float, length_s: float) -> FunctionLoad:
    return FunctionLoad(
        function=target.name,
        invocations=many,
        rate=many / length_s,
        mean_ms=total_ms / many,
        running=total_ms / 1000 / length_s,
        memory_mb=target.plan.memory_mb,
    )


def _of_clients(scenario: Scenario, clients: Clients) -> dict[int, tuple[float, float]]:
    """At most: as if an answer took no longer than the handler, and every function were clients' choice."""
    length_s = scenario.workload.duration_s or 0.0
    weights = [plan.weight if plan.shape is None else 0.0 for plan in plans_of(scenario)]
    total = sum(weights)
    if total <= 0:
        return {}
    means = [mean_ms(plan.duration) for plan in plans_of(scenario)]
    round_ms = mean_ms(clients.think) + sum(w * m for w, m in zip(weights, means, strict=True)) / total
    rounds = clients.count * length_s * 1000 / max(round_ms, 0.1)
    return {
        number: (rounds * weight / total, rounds * weight / total * means[number])
        for number, weight in enumerate(weights)
        if weight > 0
    }


def _peak(scenario: Scenario, schedule: Schedule, mean: float) -> float:
    """The highest sum of the shapes' rates; of a trace its mean."""
    shapes = [
        (rate_of(plan.shape, schedule.length_s), max(plan.shape.rate, plan.shape.to_rate) * (plan.shape.kind == "mmpp"))
        for plan in plans_of(scenario)
        if plan.shape is not None
    ]
    times = [schedule.length_s * step / STEPS for step in range(STEPS + 1)]
    highest = max((sum(high or rate(at) for rate, high in shapes) for at in times), default=0.0)
    return max(mean, highest)


def _of_load(load: Expected) -> list[str]:
    said = []
    if load.cores >= load.cores_there:
        said.append(
            f"the load keeps {load.cores:.1f} cores busy and the system has {load.cores_there}: "
            "the queue grows as long as the run lasts"
        )
    elif load.cores >= BUSY_SHARE * load.cores_there:
        said.append(f"the cores are {load.cores / load.cores_there:.0%} busy: waits are long and vary between seeds")
    if load.memory_mb > load.memory_there_mb:
        said.append(
            f"what runs at once reserves {load.memory_mb:,.0f} MB and the system has {load.memory_there_mb:,}: "
            "invocations wait for memory"
        )
    elif load.memory_each_mb > load.memory_there_mb:
        said.append(
            f"one sandbox of each function reserves {load.memory_each_mb:,} MB and the system has "
            f"{load.memory_there_mb:,}: sandboxes are evicted"
        )
    if load.peak_rate > ONE_PROCESS_RATE:
        said.append(f"{load.peak_rate:,.0f} per second are too many for one process: {load.processes} will send them")
    if 0 < load.invocations < PERCENTILE_LEAST:
        said.append(f"{load.invocations:,.0f} invocations are few: a p99 needs at least {PERCENTILE_LEAST:,}")
    return said


def _of_settings(scenario: Scenario, schedule: Schedule, load: Expected) -> list[str]:
    said = []
    called = {part.function for part in load.parts}
    never = [plan.name for plan in plans_of(scenario) if plan.name not in called]
    if not called:
        said.append("nothing is sent at all: the part of the trace may be too short, or its functions too few")
    elif never:
        more = f" and {len(never) - 3} more" if len(never) > 3 else ""
        said.append(f"nothing calls {', '.join(never[:3])}{more}: a shape, a trace or clients would")
    said += schedule.unmeasured()
    there_mb = scenario.system.memory_mb
    said += [
        f"{part.function} reserves {part.memory_mb:,} MB and a worker has {there_mb:,}: none of its invocations can run"
        for part in load.parts
        if part.memory_mb > there_mb
    ]
    said += [
        f"{target.name} takes {target.mean_ms:,.0f} ms on average and times out after {target.plan.timeout_s:g} s"
        for target in schedule.functions
        if target.mean_ms > target.plan.timeout_s * 1000
    ]
    said += [
        f"the {fault.kind} at {fault.at_s:g} s comes after the end"
        for fault in scenario.faults
        if fault.at_s is not None and fault.at_s >= schedule.length_s
    ]
    return said
