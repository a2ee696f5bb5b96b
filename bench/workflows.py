"""Event functions on one node: what it takes from one to another, and until a workflow is ready."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from attacca.client.http import Client
from attacca.client.workflow_file import WorkflowSource
from attacca.client.workflows import started, uploaded
from bench.result import Result, Round
from bench.server import HERE, Attacca, attacca, floor_of

EVENTS = HERE / "functions" / "events"
MEMORY_MB = "4000"
BYTES = 128  # of an event, as of a frame
WAIT_S = 60.0
WORKERS = ("worker-1", "worker-2")


class Place(NamedTuple):
    """A server, and somebody who asks it."""

    server: Attacca
    client: Client

    def run(self, name: str, size: int, *components: dict[str, Any]) -> list[float]:
        """What the workflow has logged when it was done."""
        file = self.server.state / "resources" / name
        file.unlink(missing_ok=True)
        log = {"name": "log", "resource": "file-log", "configuration": {"filename": name}}
        payload = json.dumps({"count": size, "bytes": BYTES})
        made = [{**one, "payload": payload} for one in components]
        code = {one["name"]: EVENTS / f"{one['name']}.py" for one in components}
        view = started(self.client, WorkflowSource(name, (*made, log), code), _quietly)
        deadline = time.monotonic() + WAIT_S
        while not (file.exists() and (text := file.read_text()).endswith("\n")):
            if time.monotonic() > deadline:
                raise RuntimeError(f"the workflow {name} was not done in time")
            time.sleep(0.02)
        self.client.json("DELETE", f"/api/workflows/{view['id']}")
        found: list[float] = json.loads(text)
        return sorted(found)


def _quietly(_: str) -> None: ...


def _leads(name: str, **outputs: str) -> dict[str, Any]:
    return {"name": name, "outputs": {channel: {"to": [to]} for channel, to in outputs.items()}}


def _place(stack: ExitStack) -> Place:
    server = stack.enter_context(attacca("--memory", MEMORY_MB))
    return Place(server, stack.enter_context(Client(f"http://127.0.0.1:{server.port}")))


def _rounds(rounds: int, size: int, ours: Callable[[Place], float], lowest: Callable[[], float]) -> list[Round]:
    with ExitStack() as stack:
        place = _place(stack)
        found = []
        for _ in range(rounds):
            floor = lowest()
            found.append(Round(ours(place), floor))
    return found


def _pair(size: int) -> dict[str, float]:
    return floor_of("pair", str(size))


def cast(rounds: int, size: int) -> Iterator[Result]:
    """A cast of 128 bytes to another event function and one back, halved: p50."""
    parts = _leads("ping", to="pong", log="log"), _leads("pong", back="ping")
    found = _rounds(
        rounds, size, lambda place: place.run("cast", size, *parts)[size // 2] / 2, lambda: _pair(size)["p50_us"] / 2
    )
    yield Result("cast to another event function, p50", "us", "frame to another process", 4.0, found)


def call(rounds: int, size: int) -> Iterator[Result]:
    """A call of 128 bytes and its reply of as many: p50."""
    parts = _leads("caller", to="pong", log="log"), _leads("pong")
    found = _rounds(
        rounds, size, lambda place: place.run("call", size, *parts)[size // 2], lambda: _pair(size)["p50_us"]
    )
    yield Result("call of another event function, p50", "us", "frame to another process and back", 2.5, found)


def chain(rounds: int, size: int) -> Iterator[Result]:
    """As many casts as can be through a chain of three, beside frames that two processes send each other in turns."""
    parts = _leads("first", to="middle"), _leads("middle", to="last"), _leads("last", log="log")
    found = _rounds(rounds, size, lambda place: place.run("chain", size, *parts)[0], lambda: _pair(size)["per_s"])
    yield Result("casts through a chain of three", "/s", "frames between two processes", 0.25, found, at_least=True)


def workflow_start(rounds: int, starts: int) -> Iterator[Result]:
    """3 functions and 2 resources until all are up, beside five workflows of one each, started in sequence; medians."""
    logs = [
        {"name": f"log{number}", "resource": "file-log", "configuration": {"filename": "starts"}} for number in (1, 2)
    ]
    functions = [_leads("middle", to="last"), _leads("last", log="log1"), _leads("pong", back="log2")]
    payload = json.dumps({"count": 0})
    made = [{**one, "payload": payload} for one in functions]
    found = []
    with ExitStack() as stack:
        client = _place(stack).client
        code = {one["name"]: EVENTS / f"{one['name']}.py" for one in functions}
        artefacts = uploaded(client, WorkflowSource("starts", (*made, *logs), code), _quietly)

        def took_ms(*components: dict[str, Any]) -> float:
            names = {one["name"] for one in components}
            source = WorkflowSource("starts", components, {name: code[name] for name in code if name in names})
            spec = msgspec.to_builtins(source.spec(artefacts))
            began = time.perf_counter()
            view = client.json("POST", "/api/workflows", spec)
            took_s = time.perf_counter() - began
            client.json("DELETE", f"/api/workflows/{view['id']}")
            return took_s * 1e3

        alone = [{**one, "outputs": {}} for one in (*made, *logs)]
        for _ in range(rounds):
            apart, together = [], []
            for _ in range(starts):
                apart.append(sum(took_ms(one) for one in alone))
                together.append(took_ms(*made, *logs))
            found.append(Round(sorted(together)[starts // 2], sorted(apart)[starts // 2]))
    name = "workflow of 3 functions and 2 resources until ready"
    yield Result(name, "ms", "each of them alone, one after the other", 0.7, found)


Parts = tuple[dict[str, Any], dict[str, Any]]
STEADY = _leads("steady", to="stamp"), _leads("stamp", log="log")
GUARDED = _leads("steady", to="keeper"), {**_leads("keeper", log="log"), "replicas": 2, "standby": "hot"}
KEPT = 10  # every so manieth count, as functions/events/keeper.py has it
RATE = 200  # events a second, as functions/events/steady.py has it


class Moved(NamedTuple):
    """What was logged: the number of each event, when it was handled, and how many had been before."""

    numbers: list[int]
    times: list[float]
    counts: list[int]

    @property
    def pause_s(self) -> float:
        return max(after - before for before, after in pairwise(self.times))


def migration(rounds: int, events: int) -> Iterator[Result]:
    """An event function that moves to another worker while it is sent 200 events a second: the longest pause between
    two that it handles, beside its start and its stop alone. None is lost, doubled or out of order, or this fails."""
    found = []
    with ExitStack() as stack:
        place, artefacts = _two_workers(stack, events)
        for number in range(rounds):
            floor_ms = _alone_ms(place.client, artefacts)

            def strike(view: dict[str, Any]) -> None:
                there = next(one for one in WORKERS if one != _where(view, "stamp"))
                _move(place.client, view, "stamp", there)

            moved = _moved(place, artefacts, f"moved{number}", events, strike)
            if not moved.numbers == moved.counts == list(range(1, events + 1)):
                raise RuntimeError(f"events were lost, doubled or out of order, or its state stayed: {moved}")
            found.append(Round(moved.pause_s * 1e3, floor_ms))
    yield Result("migration under 200 events/s, pause", "ms", "its start and its stop alone", 2.0, found)


def node_killed(rounds: int, events: int) -> Iterator[Result]:
    """A worker that is killed under an event function that another sends 200 events a second: until it goes on there.
    None of these events is lost, or this fails."""
    found = []
    with ExitStack() as stack:
        place, artefacts = _two_workers(stack, events)
        for number in range(rounds):

            def strike(view: dict[str, Any]) -> None:
                if _where(view, "stamp") != WORKERS[1]:
                    _move(place.client, view, "stamp", WORKERS[1])
                os.kill(_process_of(place.server, WORKERS[1]), signal.SIGKILL)

            moved = _moved(place, artefacts, f"killed{number}", events, strike)
            if set(moved.numbers) != set(range(1, events + 1)):
                raise RuntimeError(f"events were lost: {moved}")
            found.append(Round(moved.pause_s, 1.0))
    yield Result("a worker killed under 200 events/s, pause", "s", "", 3.5, found)


def standby(rounds: int, events: int) -> Iterator[Result]:
    """The same where another stands by on the other worker. No count that had been kept comes again, or this fails."""
    found = []
    with ExitStack() as stack:
        place, artefacts = _two_workers(stack, events, GUARDED)
        for number in range(rounds):

            def strike(view: dict[str, Any]) -> None:
                _until_guarded(place.client, view)
                if _where(view, "keeper") != WORKERS[1]:
                    _move(place.client, view, "keeper", WORKERS[1])
                    _until_guarded(place.client, view)
                os.kill(_process_of(place.server, WORKERS[1]), signal.SIGKILL)

            moved = _moved(place, artefacts, f"guarded{number}", events, strike, GUARDED)
            kept = [max((one for one in moved.counts[:at] if one % KEPT == 0), default=0) for at in range(events)]
            if set(moved.numbers) != set(range(1, events + 1)) or any(map(int.__le__, moved.counts, kept)):
                raise RuntimeError(f"events were lost, or what had been kept: {moved}")
            found.append(Round(moved.pause_s, 1.0))
    yield Result("hot standby after its worker was killed, pause", "s", "", 1.5, found)


def _until_guarded(client: Client, view: dict[str, Any]) -> None:
    """Another one stands by."""
    deadline = time.monotonic() + WAIT_S
    while "standby" not in {row["state"] for row in client.json("GET", f"/api/workflows/{view['id']}")["instances"]}:
        if time.monotonic() > deadline:
            raise RuntimeError("nobody stood by in time")
        time.sleep(0.02)


def _two_workers(stack: ExitStack, events: int, parts: Parts = STEADY) -> tuple[Place, dict[str, dict[str, Any]]]:
    server = stack.enter_context(attacca("--memory", MEMORY_MB, "--workers", "2"))
    place = Place(server, stack.enter_context(Client(f"http://127.0.0.1:{server.port}")))
    code = {one["name"]: EVENTS / f"{one['name']}.py" for one in parts}
    return place, uploaded(place.client, WorkflowSource("steady", parts, code), _quietly)


def _alone_ms(client: Client, artefacts: dict[str, dict[str, Any]]) -> float:
    source = WorkflowSource("alone", (_leads("stamp"),), {"stamp": EVENTS / "stamp.py"})
    began = time.perf_counter()
    view = client.json("POST", "/api/workflows", msgspec.to_builtins(source.spec(artefacts)))
    client.json("DELETE", f"/api/workflows/{view['id']}")
    return (time.perf_counter() - began) * 1e3


def _moved(
    place: Place,
    artefacts: dict[str, dict[str, Any]],
    filename: str,
    events: int,
    strike: Callable[[dict[str, Any]], None],
    parts: Parts = STEADY,
) -> Moved:
    """What `strike` makes of it, when a quarter of the events have come. Sender and log stay where they are."""
    payload, here = json.dumps({"count": events}), {"nodes": [WORKERS[0]]}
    log = {"name": "log", "resource": "file-log", "configuration": {"filename": filename}, "requires": here}
    steady, stamp = ({**one, "payload": payload} for one in parts)
    source = WorkflowSource("steady", ({**steady, "requires": here}, stamp, log), dict.fromkeys(artefacts, EVENTS))
    view = place.client.json("POST", "/api/workflows", msgspec.to_builtins(source.spec(artefacts)))
    time.sleep(events / RATE / 4)
    strike(view)
    file, rows, deadline = place.server.state / WORKERS[0] / "resources" / filename, [[""]], time.monotonic() + WAIT_S
    while rows[-1][0] != str(events):
        if time.monotonic() > deadline:
            raise RuntimeError(f"{len(rows)} of {events} events came")
        time.sleep(0.1)
        rows = [line.split() for line in file.read_text().splitlines()] or [[""]]
    place.client.json("DELETE", f"/api/workflows/{view['id']}")
    return Moved([int(row[0]) for row in rows], [float(row[1]) for row in rows], [int(row[2]) for row in rows])


def _where(view: dict[str, Any], component: str) -> str:
    (found,) = [row["worker"] for row in view["instances"] if row["component"] == component]
    return str(found)


def _move(client: Client, view: dict[str, Any], component: str, there: str) -> None:
    client.json("POST", f"/api/workflows/{view['id']}/migrate", {"component": component, "to": [there]})


def _process_of(server: Attacca, worker: str) -> int:
    for child in Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split():
        if f"--name\0{worker}\0".encode() in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    raise RuntimeError(f"there is no process of {worker}")
