"""One live run on a server that is there: compare it with the scenario, deploy, send, record."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path
from typing import NamedTuple, Protocol

from attacca.client.http import Client
from attacca.errors import Conflict
from attacca.kernel.clock import SystemClock
from attacca.lab.bench import read, run_ms
from attacca.lab.bodies import map_to_examples, mapping_error
from attacca.lab.environment import Environment, Tick, perform, with_examples
from attacca.lab.joules import Joules, looked
from attacca.lab.local_server import differences, not_applied, said
from attacca.lab.runner import Ended
from attacca.lab.standing import Shown
from attacca.load.records.recorder import Recorder
from attacca.load.workload.expected import Expected
from attacca.load.workload.scenario import FunctionPlan, Scenario
from attacca.load.workload.schedule import Schedule

RUNS = Path("runs")


class Order(NamedTuple):
    """What is to be run, and how."""

    scenario: Scenario
    schedule: Schedule
    asked: Expected
    path: Path  # of the scenario
    directory: str = ""  # empty: one that is free
    processes: int = 1
    examples: str = ""
    as_it_is: bool = False
    no_deploy: bool = False
    keep: bool = False


class Watcher(Protocol):
    """Whoever looks on while a run goes on."""

    def remark(self, text: str) -> None: ...
    def warn(self, text: str) -> None: ...
    def deploying(self, total: int) -> AbstractContextManager[Tick]: ...
    def running(self) -> AbstractContextManager[Callable[[Shown], None] | None]: ...


class Recorded(NamedTuple):
    """Where a run was recorded, and how it ended."""

    directory: Path
    ended: Ended


def live(order: Order, url: str, token: str, watcher: Watcher, *, is_ours: bool = False) -> Recorded:
    """Run it, from deploying to the last answer.

    Raises:
        Conflict: the server is not what [system] says, and is not to be taken as it is.
    """
    scenario, schedule = order.scenario, order.schedule
    with (
        Client(url, token) as client,
        Environment(client, token, scenario.system.mode, keep=order.keep or is_ours) as environment,
    ):
        info = client.json("GET", "/api/info")
        differing = [] if is_ours else compare(order, info.get("system", {}), watcher)
        called = {part.function for part in order.asked.parts}
        plans = mapped(order, [target.plan for target in schedule.functions], watcher)
        wanted = [plan for plan in plans if plan.name in called]
        there = environment.use(wanted) if order.no_deploy else []
        if not order.no_deploy:
            with watcher.deploying(len(wanted)) as tick:
                environment.deploy(wanted, tick)
        calls = environment.calls(plans, there)
        ahead_s, ahead_error_s = environment.clock_ahead_s()
        facts = {
            "server": info, "is_own": is_ours, "url": url, "processes": order.processes, "differs": differing,
            "not_applied": not_applied(scenario), "clock_ahead_s": ahead_s, "clock_error_s": ahead_error_s,
            "busy_loop_per_ms": environment.per_ms, "examples": {plan.name: plan.body.example for plan in plans
                                                           if plan.body.kind == "example"},
        }  # fmt: skip
        directory = Path(order.directory) if order.directory else free_directory(scenario.name)
        joules = Joules(lambda: looked(client))
        facts["energy"] = joules.source
        recorder = Recorder(directory, scenario, "live", SystemClock().wall(), live=facts)
        with watcher.running() as show:
            ended = perform(
                scenario, environment, recorder,
                schedule=schedule, calls=calls, processes=order.processes, ahead_s=ahead_s, show=show,
            )  # fmt: skip
        ended.totals.update(joules.totals())
        recorder.close(ended.totals, ended.wall_s)
    return Recorded(directory, ended)


def compare(order: Order, there: dict[str, object], watcher: Watcher) -> list[str]:
    """In what the server is not what the scenario says, told to who runs it."""
    differing = [str(difference) for difference in differences(order.scenario.system, there, said(order.path))]
    if differing and not order.as_it_is:
        raise Conflict(
            f"the server is not what [system] of {order.path} says: {'; '.join(differing)}",
            "leave --target out for a server of the run's own, start one that is so, or take it --as-it-is",
        )
    for difference in differing:
        watcher.warn(f"[system]: {difference}")
    return differing


def mapped(order: Order, plans: list[FunctionPlan], watcher: Watcher) -> tuple[FunctionPlan, ...]:
    """Examples in place of our own body, where one takes about as long; said how well that goes."""
    if not order.examples:
        return tuple(plans)
    parts = order.asked.parts
    examples = map_to_examples({part.function: part.mean_ms for part in parts}, run_ms(read(Path(order.examples))))
    many, without, error = mapping_error(examples, {part.function: part.invocations for part in parts})
    watcher.remark(f"{many} functions have an example, {error:.1%} off on average; {without} have none near enough")
    return with_examples(plans, {example.function: example.example for example in examples})


def free_directory(name: str, within: Path = RUNS) -> Path:
    """runs/NAME-1, or the next number that is free."""
    return next(path for number in count(1) if not (path := within / f"{name}-{number}").exists())
