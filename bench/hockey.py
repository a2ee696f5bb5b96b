"""Latency against offered load up to saturation: the picture of docs/performance.md.

python bench/hockey.py [--seconds N] [--out SVG]      measures, some three minutes, and draws
python bench/hockey.py --draw                         draws what bench/hockey.json has

An open loop (bench/open_loop.py) offers each server more and more, and the same to all before it offers more to any.
Each load is offered to all of them in turn, three times, and a point is the median of those. A server is asked no more
when each time it answers less than 95 of 100 in time: that point is its last. Nothing else should run on the machine
meanwhile.
"""

import argparse
import contextlib
import json
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from matplotlib.figure import Figure

from attacca.cli.functions.init import AT_ONCE
from attacca.cores import are_compiled
from attacca.lab.steady import FOREIGN, Machine, look
from attacca.load.report import style
from bench.applications import web
from bench.open_loop import Offered, offer
from bench.server import FUNCTIONS, floor, gunicorn, uvicorn

ROOT = Path(__file__).parents[1]
POINTS, PICTURE = ROOT / "bench" / "hockey.json", ROOT / "docs" / "figures" / "hockey.svg"
RATES = (250, 500, 1000, 1500, 2000, 3000, 4000, 5000, 6000, 7000, 8500, 10_000, 12_000, 15_000, 18_000, 22_000, 27_000)
SECONDS, TRIES = 1.2, 3  # of each load: who else had a processor in one of them is not in the median
SANDBOXES = 2
LABELS = {  # in the order in which they are drawn
    "attacca": "attacca, FastAPI in 2 sandboxes",
    "uvicorn": "uvicorn, FastAPI, 1 process",
    "gunicorn": "gunicorn, FastAPI, 2 workers",
    "echo": "attacca, plain function in 2 sandboxes",
    "relay": "relay, with 2 processes",
}


class Place(NamedTuple):
    port: int
    path: str


@contextlib.contextmanager
def servers() -> Iterator[dict[str, Place]]:
    """All of them, of which one at a time is asked."""
    with (
        web(str(SANDBOXES), AT_ONCE) as (server, peer), uvicorn(peer) as one, gunicorn(peer, SANDBOXES) as two,
        floor("relay") as relay,
    ):  # fmt: skip
        server.deploy(FUNCTIONS / "echo", "--name", "echo", "--max", str(SANDBOXES), "--queue", "1000")
        for name in ("web", "echo"):
            server.api("POST", f"/api/functions/{name}/prewarm", {"count": SANDBOXES})
        places = (
            Place(server.port, "/function/web"), Place(one, "/"), Place(two, "/"),
            Place(server.port, "/function/echo"), Place(relay, "/"),
        )  # fmt: skip
        yield dict(zip(LABELS, places, strict=True))


def measured(seconds: float) -> dict[str, list[Offered]]:
    found: dict[str, list[Offered]] = {name: [] for name in LABELS}
    with servers() as asked:
        for place in asked.values():
            offer(*place, RATES[0], seconds)  # each has run its code before it counts
        going = list(asked)
        for per_s in RATES:
            tries = {name: list[Offered]() for name in going}
            for seed in range(TRIES):
                for name in going:
                    tries[name].append(offer(*asked[name], per_s, seconds, seed))
            for name in going:
                say(name, point := middle(tries[name]))
                found[name].append(point)
            going = [name for name in going if any(one.is_fine for one in tries[name])]
    return found


def middle(tries: Sequence[Offered]) -> Offered:
    """The median of each of its numbers."""
    return Offered(*map(statistics.median, zip(*tries, strict=True)))


def say(name: str, point: Offered) -> None:
    late = f", {point.late:.0%} sent late by the client" if point.late > 0.01 else ""
    answered = f"{point.fine_per_s:8,.0f} of {point.asked_per_s:8,.0f}/s"
    print(f"{name:10}{answered}  p50 {point.p50_ms:9.2f} ms  p99 {point.p99_ms:9.2f} ms{late}", flush=True)


def recorded(found: dict[str, list[Offered]], seconds: float, before: Machine) -> dict[str, Any]:
    ran = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": ran.stdout.strip(),
        "machine": {"cores": before.cores, "kernel": platform.release(), "python": platform.python_version()},
        "foreign": round(before.foreign, 2),  # processors that something else used when it began
        "compiled": are_compiled(),
        "seconds": seconds,
        "points": {name: [[round(value, 4) for value in point] for point in points] for name, points in found.items()},
    }


def drawn(found: dict[str, list[Offered]], foreign: float) -> Figure:
    """Two panels, p50 and p99, both axes logarithmic; it is said in it where the machine was not quiet."""
    with style.drawing():
        figure = style.figure(4.0)
        panels = figure.subplots(1, 2, sharex=True, sharey=True)
        for axes, (title, value) in zip(panels, (("p50", 2), ("p99", 3)), strict=True):
            for index, (name, label) in enumerate(LABELS.items()):
                points = found[name]
                axes.plot(
                    [point.asked_per_s for point in points], [point[value] / 1e3 for point in points], label=label,
                    color=style.colour(index), linestyle=style.dash(index), marker=style.marker(index),
                )  # fmt: skip
            axes.set_title(title)
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_xlabel("offered, invocations per second")
        panels[0].set_ylabel("response, from when it was due")
        for axes in panels:
            style.plain_log(axes.xaxis)
            style.time_axis(axes.yaxis)
        if foreign > FOREIGN:
            words = f"not of a quiet machine: something else used {foreign:.1f} of its processors when it began"
            figure.supxlabel(words, fontsize=8, color=style.SOFT)
        style.key(figure, *panels[0].get_legend_handles_labels())
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each load on each server")
    parser.add_argument("--out", type=Path, default=PICTURE)
    parser.add_argument("--draw", action="store_true", help="what was measured last")
    asked = parser.parse_args()
    if not asked.draw:
        before = look(time.perf_counter)
        POINTS.write_text(json.dumps(recorded(measured(asked.seconds), asked.seconds, before)) + "\n")
    told = json.loads(POINTS.read_text())
    found = {name: [Offered(*point) for point in told["points"][name]] for name in LABELS}
    with tempfile.TemporaryDirectory() as place:
        figure = drawn(found, told["foreign"])
        shutil.copy(style.export(figure, Path(place), "hockey")[0], asked.out)


if __name__ == "__main__":
    main()
