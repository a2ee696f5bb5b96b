"""What each runtime of this machine costs: starts, calls and memory of the least function, seen by its client."""

import contextlib
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from attacca import __version__
from attacca.client.http import Client, quoted
from attacca.client.source import Source, deploy
from attacca.errors import AttaccaError, NotFound
from attacca.io.archive import packed
from attacca.lab.bench import PARTS_KEPT, Bench, Times, measure, median, timed
from attacca.lab.bodies import Known, known_of
from attacca.lab.held import held_mb
from attacca.lab.kinds import KINDS, Kind, Places
from attacca.lab.local_server import server
from attacca.load.workload.scenario import System

VERSION = 1
MADE_S, LOOK_S = 60.0, 0.05  # for idle sandboxes to be there
UP_S = 1.0  # after which a server that has said that it is up is asked
DEPLOYED, RESTARTED = "deployed", "restarted"  # the first invocation after a deployment was done, or after a restart
# A machine that has other work is no less measured: a server may stand still, and compile for minutes.
SILENT_S, PATIENT = 60.0, "--set process.start_timeout_s=300"


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """Of one runtime. `starts`: cold, template and warm, as far as it has them, and what the first invocation meets,
    deployed and restarted; each with the medians of its parts in ms; `total` is the client's. `missing`: why it was not
    measured."""

    name: str
    runtime: str
    isolation: str
    needs: str
    starts: dict[str, dict[str, float]] = {}
    counts: dict[str, int] = {}  # of invocations behind each
    memory_mb: float | None = None  # of one idle sandbox
    missing: str = ""


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """What `attacca bench runtimes` writes."""

    version: int = VERSION
    at: float = 0.0  # seconds since 1970
    machine: dict[str, Any] = {}
    runtimes: tuple[Cost, ...] = ()


class Measures(msgspec.Struct, frozen=True, kw_only=True):
    """How many of each are measured. `only`: these alone, by their names."""

    cold: int = 20
    warm: int = 200
    first: int = 3  # after so many deployments, and so many restarts of the server
    sandboxes: int = 8  # of which the memory is taken
    only: tuple[str, ...] = ()
    places: Places = Places()


def chosen(only: Sequence[str]) -> tuple[Kind, ...]:
    """
    Raises:
        NotFound: there is none of that name.
    """
    names = [kind.name for kind in KINDS]
    if unknown := [name for name in only if name not in names]:
        raise NotFound(f"there is no runtime {unknown[0]!r}", f"one of {', '.join(names)}")
    return tuple(kind for kind in KINDS if kind.name in only or not only)


def run(
    asked: Measures, begin: Callable[[str], None], tick: Callable[[], None], keep: Callable[[Costs], None]
) -> Costs:
    """Each on a server of its own, but for those that no engine tells apart. `begin` is told what comes next, and
    `keep` after each what there is so far.

    Raises:
        AttaccaError: a server cannot be started.
    """
    kinds = chosen(asked.only)
    lacking = {kind.name: kind.missing(asked.places) for kind in kinds}
    found = {kind.name: _told(kind, missing=lacking[kind.name]) for kind in kinds if lacking[kind.name]}
    machine = {"system": platform.platform(), "python": platform.python_version(), "attacca": __version__}

    def so_far() -> Costs:
        there = tuple(found[kind.name] for kind in kinds if kind.name in found)
        return Costs(at=time.time(), machine=machine, runtimes=there)  # noqa: TID251 - it stands in a file

    present = [kind for kind in kinds if not lacking[kind.name]]
    with tempfile.TemporaryDirectory(prefix="attacca-bench-") as room:
        for engine, alike in groupby(present, lambda kind: kind.engine):
            up, names = f"{PATIENT} {_options(engine, asked.places)}", list[str]()
            state = Path(room) / f"state-{engine}"
            with server(System(silent_s=SILENT_S), up, state=state) as url, Client(url) as client:
                for kind in alike:
                    begin(kind.runtime)
                    names.append(kind.name)
                    found[kind.name] = _measured(client, kind, asked, Path(room) / kind.name, tick)
                    keep(so_far())
            names = [name for name in names if not found[name].missing]
            for name, times in _restarted(up, state, names, asked).items():
                found[name] = _with(found[name], RESTARTED, times)
                keep(so_far())
            shutil.rmtree(state, ignore_errors=True)
    return so_far()


def _restarted(up: str, state: Path, names: Sequence[str], asked: Measures) -> dict[str, Times]:
    """Of each what its first invocation is by a server that has just come back."""
    found: dict[str, Times] = {name: {part: [] for part in PARTS_KEPT} for name in names}
    for _ in range(asked.first if names else 0):
        with server(System(silent_s=SILENT_S), up, state=state) as url, Client(url) as client:
            time.sleep(UP_S)  # noqa: TID251 - a person waits
            for name in names:
                _add(found[name], client, name)
    return found


def _add(times: Times, client: Client, name: str) -> None:
    for part, value in timed(client, name, known_of(name, Known()))[1].items():
        times[part].append(value)


def _with(cost: Cost, start: str, times: Times) -> Cost:
    counts = {**cost.counts, start: len(times["total"])}
    return msgspec.structs.replace(cost, starts={**cost.starts, start: _medians_of(times)}, counts=counts)


def merged(before: Costs, now: Costs) -> Costs:
    """What was measured now in place of what it was, and the rest as it was; in the order of the kinds."""
    found = {cost.name: cost for cost in (*before.runtimes, *now.runtimes)}
    return msgspec.structs.replace(now, runtimes=tuple(found[kind.name] for kind in KINDS if kind.name in found))


def _options(engine: str, places: Places) -> str:
    container = places.container
    if not engine:
        return ""
    if engine in ("qemu", "firecracker"):
        return f"--set microvm.monitor={engine}"
    if engine == "kubernetes":
        return f"--set kubernetes.kubeconfig={places.kubeconfig}"
    where = {"containerd": container.containerd, "docker": container.docker}.get(engine)
    return f"--set container.engine={engine}" + (f" --set container.{engine}={where}" if where else "")


def _told(kind: Kind, **more: Any) -> Cost:
    return Cost(name=kind.name, runtime=kind.runtime, isolation=kind.isolation, needs=kind.needs, **more)


def _measured(client: Client, kind: Kind, asked: Measures, place: Path, tick: Callable[[], None]) -> Cost:
    place.mkdir()
    try:
        first: Times = {part: [] for part in PARTS_KEPT}
        with kind.source(place, asked.places.image) as source:
            for number in range(max(asked.first, 1)):
                settings = msgspec.structs.replace(source.settings, env={"NUMBER": str(number)})
                _deploy(client, msgspec.structs.replace(source, settings=settings))
                _add(first, client, kind.name)
        bench = measure(client, [kind.name], asked.cold, asked.warm, Known(), tick)
        if kind.name not in bench.functions:
            return _told(kind, missing=bench.errors[kind.name])
        memory_mb = None if kind.is_pulled else _memory_mb(client, kind.name, asked.sandboxes)
        client.json("POST", f"/api/functions/{quoted(kind.name)}/evict", {"templates": False})
    except AttaccaError as error:
        return _told(kind, missing=error.message)
    return _with(_told(kind, memory_mb=memory_mb, **_medians(bench, kind.name)), DEPLOYED, first)


def _deploy(client: Client, source: Source) -> None:
    with packed(source.path, []) as archive:
        for _ in deploy(client, source, archive, allow_source_builds=False):
            pass


def _medians(bench: Bench, name: str) -> dict[str, Any]:
    starts = {start: _medians_of(times) for start, times in bench.functions[name].starts.items()}
    counts = {start: len(times["total"]) for start, times in bench.functions[name].starts.items()}
    return {"starts": starts, "counts": counts}


def _medians_of(times: Times) -> dict[str, float]:
    return {part: round(median(values), 4) for part, values in times.items()}


def _memory_mb(client: Client, name: str, count: int) -> float | None:
    """What one more idle sandbox holds: `count` are made besides those that are there. None: nothing could be seen."""
    process = client.json("GET", "/api/info")["process"]
    few, before = _idle(client, name), held_mb(process)
    client.json("POST", f"/api/functions/{quoted(name)}/prewarm", {"count": few + count})
    until = time.monotonic() + MADE_S  # noqa: TID251 - a person waits
    while (many := _idle(client, name)) < few + count and time.monotonic() < until:  # noqa: TID251 - a person waits
        time.sleep(LOOK_S)  # noqa: TID251 - a person waits
    more = held_mb(process) - before
    return round(more / (many - few), 2) if many > few and more > 0 else None


def _idle(client: Client, name: str) -> int:
    views = (view for worker in client.json("GET", "/api/workers") for view in worker["functions"])
    return sum(view["idle"] for view in views if view["function"] == name)


def read(path: Path) -> Costs:
    """
    Raises:
        NotFound: the file is not there, or is not what `attacca bench runtimes` wrote.
    """
    with contextlib.suppress(OSError, msgspec.MsgspecError, RecursionError):
        return msgspec.json.decode(path.read_bytes(), type=Costs)
    raise NotFound(f"{path} cannot be read", "attacca bench runtimes --out FILE writes one")


def rows(costs: Costs) -> Iterator[tuple[str, ...]]:
    """Of the table in docs/runtimes.md: of each that was measured its cells."""
    for cost in costs.runtimes:
        if not cost.missing:
            kind, comma, which = cost.runtime.partition(",")
            kinds = (DEPLOYED, RESTARTED, "cold", "template", "warm")
            times = (_shown(cost.starts.get(start)) for start in kinds)
            memory = "" if cost.memory_mb is None else f"{cost.memory_mb:.1f} MB"
            yield f"`{kind}`{comma}{which}", cost.isolation, *times, memory, cost.needs


def _shown(parts: dict[str, float] | None) -> str:
    if parts is None:
        return ""
    return f"{parts['total']:.0f} ms" if parts["total"] >= 10 else f"{parts['total']:.2g} ms"
