"""`make fuzz`: every door for as long as one likes, side by side; what is found lies in files to be given again."""

import argparse
import asyncio
import hashlib
import json
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from tests.fuzz.doors import NAMES, make
from tests.fuzz.engine import ROOT, Fault, Fuzz, Tally, replay

FOUND = ROOT / ".fuzz"
TOLD_S = 0.5  # between two words of progress
COLUMNS = ("door", "inputs", "per second", "taken", "verdicts", "kept", "lines", "faults")


def main() -> int:
    said = read_arguments()
    if said.replay:
        return give_again(Path(said.replay))
    if said.alone:
        return report_alone(said.alone, said.seed, said.seconds)
    seed = said.seed if said.seed is not None else random.randrange(1_000_000)
    names = [name for name in said.doors.split(",") if name] or list(NAMES)
    unknown = sorted({*names} - {*NAMES})
    if unknown:
        print(f"there is no door {', '.join(unknown)}; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    print(f"seed {seed}: make fuzz MINUTES={said.minutes:g} DOORS={','.join(names)} SEED={seed}")
    rows = asyncio.run(side_by_side(names, seed, said.minutes * 60))
    return 1 if any(row["faults"] or row.get("died") for row in rows.values()) else 0


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="for all doors together")
    parser.add_argument("--doors", default="", help=f"of {','.join(NAMES)}")
    parser.add_argument("--seed", type=int, help="drawn when not given, and shown")
    parser.add_argument("--replay", default="", metavar="FILE", help="give one input again")
    parser.add_argument("--alone", default="", help=argparse.SUPPRESS)
    parser.add_argument("--seconds", type=float, default=10.0, help=argparse.SUPPRESS)
    return parser.parse_args()


def give_again(path: Path) -> int:
    door = make(path.name.rpartition("-")[0])
    fault = replay(door, path.read_bytes())
    print(fault.told if fault else f"{path.name}: nothing is wrong with it any more")
    return 1 if fault else 0


# One door, in a process of its own: a line of JSON now and then.


def report_alone(name: str, seed: int, seconds: float) -> int:
    ends_at, told_at = time.monotonic() + seconds, 0.0

    def tell(tally: Tally) -> None:
        nonlocal told_at
        if time.monotonic() - told_at > TOLD_S:
            told_at = time.monotonic()
            print(json.dumps(shown(tally)), flush=True)

    tally = Fuzz(make(name), seed).run(lambda _: time.monotonic() < ends_at, tell)
    print(json.dumps(shown(tally)), flush=True)
    return 0


def shown(tally: Tally) -> dict[str, Any]:
    found = {fault.mark: [keep(fault), fault.said] for fault in tally.faults}
    return {**tally._asdict(), "faults": found}


def keep(fault: Fault) -> str:
    """A file that names its door; beside it, what was said."""
    FOUND.mkdir(exist_ok=True)
    path = FOUND / f"{fault.door}-{hashlib.sha256(fault.data).hexdigest()[:10]}"
    if not path.exists():
        path.write_bytes(fault.data)
        path.with_suffix(".txt").write_text(f"{fault.mark}\n\n{fault.data[:2000]!r}\n\n{fault.told}", errors="replace")
    return str(path.relative_to(ROOT))


# All of them.


async def side_by_side(names: Sequence[str], seed: int, seconds: float) -> dict[str, dict[str, Any]]:
    places = min(len(os.sched_getaffinity(0)), len(names))
    share_s, free = seconds * places / len(names), asyncio.Semaphore(places)
    rows: dict[str, dict[str, Any]] = {name: {"faults": {}} for name in names}
    console = Console()

    async def work(name: str) -> None:
        async with free:
            await one_door(name, seed, share_s, rows[name])

    with Live(console=console, get_renderable=lambda: table(rows), refresh_per_second=4, transient=False):
        await asyncio.gather(*map(work, names))
    for name, row in rows.items():
        for line in complaints(name, row):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    return rows


async def one_door(name: str, seed: int, seconds: float, row: dict[str, Any]) -> None:
    words = ["-m", "tests.fuzz", "--alone", name, "--seed", str(seed), "--seconds", f"{seconds:.3f}"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, cwd=ROOT, stdout=asyncio.subprocess.PIPE, limit=1 << 24
    )
    assert process.stdout is not None
    async for line in process.stdout:
        if line.startswith(b"{"):
            row.update(json.loads(line))
    if await process.wait() != 0:
        row["died"] = process.returncode


def table(rows: dict[str, dict[str, Any]]) -> Group:
    made = Table(box=None, header_style="bold", pad_edge=False)
    for column in COLUMNS:
        made.add_column(column, justify="left" if column == "door" else "right")
    for name, row in rows.items():
        tried, spent_s = row.get("tried", 0), row.get("spent_s", 0.0)
        numbers = [f"{tried:,}", f"{tried / spent_s:,.0f}" if spent_s else "-", share(row.get("taken", 0), tried)]
        numbers += [f"{row.get(key, 0):,}" for key in ("kinds", "corpus", "lines")]
        faults = len(row["faults"]) + ("died" in row)
        made.add_row(name, *numbers, f"[bold red]{faults}[/]" if faults else "[green]0[/]")
    return Group(made)


def share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "-"


def complaints(name: str, row: dict[str, Any]) -> Iterator[str]:
    if "died" in row:
        yield f"\n{name} ended with status {row['died']}; what it wrote is above"
    for mark, (path, said) in row["faults"].items():
        yield f"\n{name}: {mark}\n  {said}\n  make fuzz REPLAY={path}"


if __name__ == "__main__":
    sys.exit(main())
