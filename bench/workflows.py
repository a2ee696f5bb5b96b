"""Event functions on one node: what it takes from one to another, and until a workflow is ready."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
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


def migration(rounds: int, events: int) -> Iterator[Result]:
    """An event function that moves to another worker while it is sent 200 events a second: the longest pause between
    two that it handles, beside its start and its stop alone. None is lost, doubled or out of order, or this fails."""
    payload = json.dumps({"count": events})
    parts = [{**one, "payload": payload} for one in (_leads("steady", to="stamp"), _leads("stamp", log="log"))]
    found = []
    with ExitStack() as stack:
        server = stack.enter_context(attacca("--memory", MEMORY_MB, "--workers", "2"))
        client = stack.enter_context(Client(f"http://127.0.0.1:{server.port}"))
        code = {one["name"]: EVENTS / f"{one['name']}.py" for one in parts}
        artefacts = uploaded(client, WorkflowSource("migration", tuple(parts), code), _quietly)
        alone = WorkflowSource("alone", ({**parts[1], "outputs": {}},), {"stamp": code["stamp"]})
        for number in range(rounds):
            began = time.perf_counter()
            view = client.json("POST", "/api/workflows", msgspec.to_builtins(alone.spec(artefacts)))
            client.json("DELETE", f"/api/workflows/{view['id']}")
            floor_ms = (time.perf_counter() - began) * 1e3
            log = {"name": "log", "resource": "file-log", "configuration": {"filename": f"moved{number}"}}
            source = WorkflowSource("migration", (*parts, log), code)
            found.append(Round(_pause_ms(client, server, source, artefacts, events), floor_ms))
    yield Result("migration under 200 events/s, pause", "ms", "its start and its stop alone", 2.0, found)


def _pause_ms(
    client: Client, server: Attacca, source: WorkflowSource, artefacts: dict[str, dict[str, Any]], events: int
) -> float:
    view = client.json("POST", "/api/workflows", msgspec.to_builtins(source.spec(artefacts)))
    path, filename = f"/api/workflows/{view['id']}", source.components[-1]["configuration"]["filename"]
    (here,) = [row["worker"] for row in view["instances"] if row["component"] == "stamp"]
    there = next(one["name"] for one in client.json("GET", "/api/workers") if one["name"] != here)
    time.sleep(events / 200 / 4)  # a quarter of what comes
    client.json("POST", f"{path}/migrate", {"component": "stamp", "to": [there]})
    deadline = time.monotonic() + WAIT_S
    rows: list[list[str]] = []
    while len(rows) < events:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{len(rows)} of {events} events came")
        time.sleep(0.1)
        rows = [line.split() for file in server.state.rglob(filename) for line in file.read_text().splitlines()]
    client.json("DELETE", path)
    numbers = [int(row[0]) for row in rows]
    if numbers != list(range(1, events + 1)):
        raise RuntimeError(f"events were lost, doubled or out of order: {numbers}")
    if [int(row[2]) for row in rows] != numbers:
        raise RuntimeError("its state did not move with it")
    times = [float(row[1]) for row in rows]
    return max(after - before for before, after in pairwise(times)) * 1e3
