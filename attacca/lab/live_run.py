"""One live run on a server that is there: compare it with the scenario, deploy, send, record, show."""

from itertools import count
from pathlib import Path
from typing import NamedTuple

from attacca.cli.screens.progress import bar, show_totals, ticking
from attacca.cli.screens.terminal import say, show_json
from attacca.client.http import Client
from attacca.errors import Conflict
from attacca.kernel.clock import SystemClock
from attacca.lab import local_server as hosting
from attacca.lab.bench import read, run_ms
from attacca.lab.bodies import map_to_examples, mapping_error
from attacca.lab.environment import Stage, perform, with_examples
from attacca.load.records.recorder import Recorder
from attacca.load.workload.expected import Expected
from attacca.load.workload.scenario import FunctionPlan, Scenario
from attacca.load.workload.schedule import Schedule


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
    as_json: bool = False


def live(order: Order, url: str, token: str, *, is_ours: bool = False) -> bool:
    """Whether what was measured is not to be trusted.

    Raises:
        Conflict: the server is not what [system] says, and is not to be taken as it is.
    """
    scenario, schedule, quiet = order.scenario, order.schedule, order.as_json
    with Client(url, token) as client, Stage(client, token, keep=order.keep or is_ours) as stage:
        info = client.json("GET", "/api/info")
        differing = [] if is_ours else compare(order, info.get("system", {}))
        called = {part.function for part in order.asked.parts}
        plans = mapped(order, [one.plan for one in schedule.functions])
        wanted = [plan for plan in plans if plan.name in called]
        there = stage.use(wanted) if order.no_deploy else []
        if not order.no_deploy:
            with ticking("deploying", len(wanted), quiet=quiet) as tick:
                stage.deploy(wanted, tick)
        calls = stage.calls(plans, there)
        ahead_s, ahead_error_s = stage.clock_ahead_s()
        facts = {
            "server": info, "is_own": is_ours, "url": url, "processes": order.processes, "differs": differing,
            "not_applied": hosting.not_applied(scenario), "clock_ahead_s": ahead_s, "clock_error_s": ahead_error_s,
            "busy_loop_per_ms": stage.per_ms, "examples": {plan.name: plan.body.example for plan in plans
                                                           if plan.body.kind == "example"},
        }  # fmt: skip
        directory = Path(order.directory) if order.directory else free_directory(scenario.name)
        sink = Recorder(directory, scenario, "live", SystemClock().wall(), live=facts)
        with bar(quiet=quiet) as show:
            ended = perform(
                scenario, stage, sink,
                schedule=schedule, calls=calls, processes=order.processes, ahead_s=ahead_s, show=show,
            )  # fmt: skip
        sink.close(ended.totals, ended.wall_s)
    if order.as_json:
        show_json({"run": str(directory), "wall_s": ended.wall_s, **ended.totals})
    else:
        show_totals(ended.totals, str(directory))
    return ended.is_refused


def compare(order: Order, there: dict[str, object]) -> list[str]:
    """In what the server is not what the scenario says, told to who runs it."""
    found = [str(one) for one in hosting.differences(order.scenario.system, there, hosting.said(order.path))]
    if found and not order.as_it_is:
        raise Conflict(
            f"the server is not what [system] of {order.path} says: {'; '.join(found)}",
            "leave --target out for a server of the run's own, start one that is so, or take it --as-it-is",
        )
    for one in found:
        say(f"[system]: {one}", "yellow")
    return found


def mapped(order: Order, plans: list[FunctionPlan]) -> tuple[FunctionPlan, ...]:
    """Examples in place of our own body, where one takes about as long; said how well that goes."""
    if not order.examples:
        return tuple(plans)
    parts = order.asked.parts
    found = map_to_examples({part.function: part.mean_ms for part in parts}, run_ms(read(Path(order.examples))))
    many, without, error = mapping_error(found, {part.function: part.invocations for part in parts})
    if not order.as_json:
        say(f"{many} functions have an example, {error:.1%} off on average; {without} have none near enough")
    return with_examples(plans, {one.function: one.example for one in found})


def free_directory(name: str) -> Path:
    """runs/NAME-1, or the next number that is free."""
    return next(path for number in count(1) if not (path := Path("runs") / f"{name}-{number}").exists())
