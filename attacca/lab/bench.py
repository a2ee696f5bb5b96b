"""Time each function cold, from its template and warm, one invocation after the other."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from attacca.client.http import Client, quoted
from attacca.errors import AttaccaError, Conflict, NotFound
from attacca.lab.answers import MADE, told_by
from attacca.lab.bodies import Known, known_of

VERSION = 1
PARTS_KEPT = (*MADE, "run", "overhead", "total")  # overhead: what is in no other part
WAIT_S = 10.0  # for idle sandboxes to go
TEMPLATE_S = 3.0  # for one to be made
AHEAD_S = 0.3  # for what is made ahead of need to be there again
TRIES = 3  # for a start of the kind that was asked for

Times = dict[str, list[float]]  # of each part its milliseconds


class Timings(msgspec.Struct, kw_only=True):
    """Of one function. `starts`: cold, template and warm, each with arrays of the same length."""

    function: str
    memory_mb: int
    starts: dict[str, Times]


class Bench(msgspec.Struct, kw_only=True):
    """What `attacca load bench` writes and `attacca sim calibrate` reads."""

    version: int = VERSION
    at: float = 0.0  # seconds since 1970
    server: dict[str, Any] = {}
    functions: dict[str, Timings] = {}
    errors: dict[str, str] = {}  # of functions that could not be timed


def measure(client: Client, names: list[str], cold: int, warm: int, asked: Known, tick: Callable[[], None]) -> Bench:
    """`asked` is what each is sent; one that has its name from a directory below examples/ gets what is known of that.

    Raises:
        NotFound: one is not deployed.
    """
    there = {row["function"] for row in client.functions()}
    missing = [name for name in names if name not in there]
    if missing:
        raise NotFound(f"not deployed: {', '.join(missing)}", "attacca list shows what is")
    bench = Bench(server=client.json("GET", "/api/info"), at=time.time())  # noqa: TID251 - it stands in a file
    for name in names or sorted(there):
        try:
            bench.functions[name] = _time(client, name, cold, warm, asked, tick)
        except AttaccaError as error:
            bench.errors[name] = error.message
    return bench


def _time(client: Client, name: str, cold: int, warm: int, asked: Known, tick: Callable[[], None]) -> Timings:
    settings = client.json("GET", f"/api/functions/{quoted(name)}")["settings"]
    timings = Timings(function=name, memory_mb=settings["memory_mb"], starts={})
    asked = known_of(name, asked)
    for kind, count in (("cold", cold), ("template", cold), ("warm", warm)):
        if kind == "template" and count and not _has_template(client, name):
            continue
        for _ in range(count):
            _once(client, name, kind, asked, timings)
            tick()
    return timings


def _once(client: Client, name: str, kind: str, asked: Known, timings: Timings) -> None:
    """One invocation that starts as asked for. One that starts otherwise is kept for what it is, and tried again."""
    for _ in range(TRIES):
        if kind != "warm":
            _evict(client, name, templates=kind == "cold")
            time.sleep(AHEAD_S)  # noqa: TID251 - a person waits
        start, parts = timed(client, name, asked)
        times = timings.starts.setdefault(start, {part: [] for part in PARTS_KEPT})
        for part in PARTS_KEPT:
            times[part].append(parts[part])
        if start == kind:
            return


def timed(client: Client, name: str, asked: Known) -> tuple[str, dict[str, float]]:
    """One invocation: how it started, and its parts in ms.

    Raises:
        AttaccaError: it failed.
    """
    target = f"/function/{quoted(name)}{asked.path}"
    began = time.perf_counter()  # noqa: TID251 - it is what is measured
    answer = client.request("POST", target, asked.body, {"content-type": asked.content_type})
    total_ms = (time.perf_counter() - began) * 1000  # noqa: TID251 - it is what is measured
    if answer.status >= 400:
        client.fail(answer.status, answer.body, "POST", target)
    head = "".join(f"\r\n{key}: {value}" for key, value in answer.headers.items()).encode()
    answered = told_by(head)
    parts = answered.parts()
    values = parts | {"overhead": total_ms - sum(parts.values()), "total": total_ms}
    return answered.start, {part: round(values[part], 4) for part in PARTS_KEPT}


def _evict(client: Client, name: str, *, templates: bool) -> None:
    """Its sandboxes go, with `templates` its templates too; come back when they have."""
    client.json("POST", f"/api/functions/{quoted(name)}/evict", {"templates": templates})
    until = time.monotonic() + WAIT_S  # noqa: TID251 - a person waits
    while time.monotonic() < until:  # noqa: TID251 - a person waits
        views = [view for view in _views(client) if view["function"] == name]
        if not any(view["idle"] for view in views) and not (templates and any(view["templates"] for view in views)):
            return
        time.sleep(0.002)  # noqa: TID251 - a person waits
    raise Conflict(f"the sandboxes of {name!r} do not go", "is somebody else calling it?")


def _has_template(client: Client, name: str) -> bool:
    """Whether there is one, or will be in a moment."""
    until = time.monotonic() + TEMPLATE_S  # noqa: TID251 - a person waits
    while time.monotonic() < until:  # noqa: TID251 - a person waits
        if any(view["function"] == name and view["templates"] for view in _views(client)):
            return True
        time.sleep(0.01)  # noqa: TID251 - a person waits
    return False


def _views(client: Client) -> Iterator[dict[str, Any]]:
    for worker in client.json("GET", "/api/workers"):
        yield from worker["functions"]


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2] if values else 0.0


def run_ms(bench: Bench) -> dict[str, float]:
    """Of each function, how long its handler takes when it is warm."""
    return {
        name: median(timings.starts.get("warm", {}).get("run", [])) for name, timings in bench.functions.items()
    }  # fmt: skip


def read(path: Path) -> Bench:
    """
    Raises:
        NotFound: the file is not there, or is not what `attacca load bench` wrote.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Bench)
    except (OSError, msgspec.MsgspecError, RecursionError) as error:
        raise NotFound(f"{path} cannot be read: {error}", "attacca load bench --out FILE writes one") from None
