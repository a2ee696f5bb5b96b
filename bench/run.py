"""Measure, print the table, and append one line to history.jsonl.

python bench/run.py [--only NAME ...] [--long] [--quick] [--no-record]

Each measure is a ratio to a floor that was measured in the same round; rounds of both take turns, and the table shows
the median and the spread. Nothing else should run on the machine meanwhile.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from attacca.cores import are_compiled
from bench.measures import MEASURES
from bench.result import Result

SAID = 600  # characters of it
HISTORY = Path(__file__).parent / "history.jsonl"


def show(results: list[Result], console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    for name in ("measure", "floor", "ratio to it", "spread", "bar", ""):
        table.add_column(name, justify="left" if name in ("measure", "floor") else "right")
    for found in results:
        ours = sorted(one.ours for one in found.rounds)
        ours_text = f"{ours[len(ours) // 2]:,.1f} {found.unit}"
        lowest = sorted(one.floor for one in found.rounds)
        floor = f"{found.floor_name} {lowest[len(lowest) // 2]:,.1f} {found.unit}" if found.floor_name else ""
        sign = "≥" if found.at_least else "≤"
        verdict = "[green]met[/]" if found.is_met else "[red]missed[/]"
        table.add_row(
            f"{found.name}: {ours_text}",
            floor,
            f"{found.median:.2f}",
            f"{found.ratios[0]:.2f}-{found.ratios[-1]:.2f}",
            f"{sign} {found.bar:g}",
            verdict,
        )
    console.print(table)


def record(results: list[Result]) -> None:
    ran = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    line = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": ran.stdout.strip(),
        "machine": {"cores": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version()},
        "compiled": are_compiled(),
        "measures": [
            {
                "name": found.name,
                "floor": found.floor_name,
                "unit": found.unit,
                "median": round(found.median, 3),
                "bar": found.bar,
                "at_least": found.at_least,
                "met": found.is_met,
                "rounds": [[round(one.ours, 3), round(one.floor, 3)] for one in found.rounds],
            }
            for found in results
        ],
    }
    with HISTORY.open("a") as file:
        file.write(json.dumps(line) + "\n")


def told(error: Exception) -> str:
    """What a program has said last that did not do what it was to do, or the error itself."""
    if not isinstance(error, subprocess.CalledProcessError):
        return str(error)
    said = [stream.decode(errors="replace")[-SAID:].strip() for stream in (error.stdout, error.stderr) if stream]
    return "\n".join((str(error), *said))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(MEASURES), metavar="NAME", help=", ".join(MEASURES))
    parser.add_argument("--long", action="store_true", help="those that take minutes each, instead of the others")
    parser.add_argument("--quick", action="store_true", help="two short rounds of each; not recorded")
    parser.add_argument("--no-record", action="store_true")
    asked = parser.parse_args()
    console = Console()
    results: list[Result] = []
    took: list[str] = []
    failed: list[str] = []
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console, transient=True
    ) as bar:
        for name in asked.only or (name for name, one in MEASURES.items() if one.is_long == asked.long):
            measure = MEASURES[name]
            task = bar.add_task(f"{name}: {measure.run.__doc__}")
            rounds, size = (min(2, measure.rounds), measure.quick) if asked.quick else (measure.rounds, measure.size)
            began = time.monotonic()
            try:
                results += measure.run(rounds, size)
            except (OSError, RuntimeError, subprocess.CalledProcessError) as error:  # the others are worth having
                failed.append(f"{name}: {told(error)}")
            took.append(f"{name} {time.monotonic() - began:.0f} s")
            bar.remove_task(task)
    show(results, console)
    for words in failed:
        console.print(f"[red]Not measured[/]: {escape(words)}")
    console.print(f"Took: {', '.join(took)}")
    console.print(f"Cores: {'compiled' if are_compiled() else 'Python'}")
    if not asked.quick and not asked.no_record:
        record(results)
    return 0 if all(found.is_met for found in results) and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
