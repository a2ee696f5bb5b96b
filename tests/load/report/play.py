"""Runs that nobody ran: a small platform of a few lines, recorded as a real one is."""

import heapq
import random
from pathlib import Path

from attacca.load.records.reading import read_run
from attacca.load.records.recorder import Recorder
from attacca.load.report.digest import Digest
from attacca.load.report.measure import digest_of
from attacca.load.workload.scenario import Choice, FunctionPlan, Scenario, System, Workload

FUNCTIONS = {"thumbnail": (20.0, 0.3), "mail": (5.0, 0.1), "report": (1.0, 1.2), "tick": (0.2, 0.02)}  # rate, seconds


def scenario(seed: int = 1, keepalive: str = "ttl", duration_s: float = 60.0, workers: int = 1) -> Scenario:
    return Scenario(
        name="play",
        about="four functions that nobody deployed",
        seed=seed,
        workload=Workload(duration_s=duration_s, warmup_s=duration_s / 10),
        functions=tuple(FunctionPlan(name=name) for name in FUNCTIONS),
        system=System(keepalive=Choice(policy=keepalive), workers=workers, cores=12),
    )


def record(
    path: Path, plan: Scenario, kind: str = "simulated", *, slow: float = 1.0, idle_s: float = 20.0, rate: float = 1.0
) -> Path:
    """First come, first served, on as many slots as there are cores; a sandbox idle for longer than idle_s is gone."""
    draw = random.Random(plan.seed)
    arrivals = []
    length_s = plan.workload.duration_s or 60.0
    for name, (a_second, seconds) in FUNCTIONS.items():
        at = 0.0
        while (at := at + draw.expovariate(a_second * rate)) < length_s:
            arrivals.append((at, name, draw.lognormvariate(0.0, 0.5) * seconds * slow, draw.expovariate(2000.0)))
    sink = Recorder(path, plan, kind, 1.7e9)
    slots = [0.0] * plan.system.cores
    idle: dict[str, list[float]] = {name: [] for name in FUNCTIONS}
    spans = []
    for index, (due, name, seconds, late) in enumerate(sorted(arrivals)):
        free = heapq.heappop(slots)
        enq = due + late + 0.0002
        deq = max(enq, free)
        warm = [since for since in idle[name] if since <= deq < since + idle_s]
        start, ready = ("warm", None) if warm else ("cold", deq + 0.15 * draw.lognormvariate(0.0, 0.4))
        if warm:
            idle[name].remove(max(warm))
        begin = (ready or deq) + 0.0003
        end = begin + seconds
        heapq.heappush(slots, end)
        idle[name].append(end)
        spans.append((due, deq, end))
        phase = "warmup" if due < plan.workload.warmup_s else "run"
        is_lost = draw.random() < 0.002
        sink.add((
            plan.name, plan.seed, phase, index, "app", name, "http", due, due + late, late, enq, deq,
            None if ready is None else deq, ready, begin, end, None if is_lost else end + 0.0004,
            0 if is_lost else 200, "timeout" if is_lost else "", start, "w1", f"s{index}", 1, 0, 128, seconds,
            seconds, 100, 200, 128.0 * seconds,
        ))  # fmt: skip
    for second in range(int(length_s)):
        running = sum(deq <= second < end for _, deq, end in spans)
        waiting = sum(due <= second < deq for due, deq, _ in spans)
        there = running + sum(second - idle_s < end <= second for _, _, end in spans) // 8
        sink.sample((plan.name, float(second), "w1", there, running, waiting, running, there * 128, running / 12))
    sink.close({"events": float(len(spans) * 6)}, 0.4)
    return path


def digest(path: Path, plan: Scenario, kind: str = "simulated", **how: float) -> Digest:
    return digest_of(read_run(record(path, plan, kind, **how)))
