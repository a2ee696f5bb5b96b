"""`attacca profile`: a flame graph of where a plane of this machine spends its time."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Annotated, NamedTuple
from xml.sax.saxutils import escape

import typer

from attacca.cli.options import Json
from attacca.cli.screens.terminal import say, show_json
from attacca.errors import AttaccaError, BadConfig, Conflict, Forbidden, NotFound

EXAMPLES = """
attacca profile worker --seconds 30  # profile-worker.svg, for a browser
attacca profile control --state-dir ./state --out control.svg
attacca profile gateway --pid 4711 --rate 250
"""
TITLE = re.compile(r'(<text id="title"[^>]*>)[^<]*')
GRACE_S = 60.0  # in which the graph is drawn, beside the seconds that were asked for
APART = ("--workers", "--gateways")
STATE = ("--state-dir", "control.state_dir", "--set=control.state_dir")
RIGHTS = (
    "ask as root, or allow it until the next start: sysctl kernel.yama.ptrace_scope=0; a container wants SYS_PTRACE"
)


class Profiled(StrEnum):
    CONTROL = "control"
    GATEWAY = "gateway"
    WORKER = "worker"


def run(
    plane: Annotated[Profiled, typer.Argument(help="Whose time; of `attacca up` all three are one process.")],
    *,
    seconds: Annotated[int, typer.Option("--seconds", metavar="SECONDS", min=1, max=3600, help="For how long.")] = 30,
    rate: Annotated[int, typer.Option("--rate", metavar="HZ", min=1, max=1000, help="Looks per second.")] = 100,
    out: Annotated[str, typer.Option("--out", metavar="FILE", help="Default: profile-PLANE.svg.")] = "",
    pid: Annotated[int, typer.Option("--pid", metavar="PID", min=0, help="Of several, this process.")] = 0,
    state_dir: Annotated[
        str, typer.Option("--state-dir", metavar="DIR", help="Of several, the one that uses it.")
    ] = "",
    is_exact: Annotated[
        bool, typer.Option("--exact", help="Hold the process for each look: exact, and felt by invocations.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Look at what a plane on this machine does, some hundred times a second, and draw it; nothing in it is changed."""
    chosen = pid or one_of(topmost(serving(commands(), plane, state_dir), parent), plane)
    file = Path(out or f"profile-{plane.value}.svg")
    say(f"Looking at process {chosen} for {seconds} s")
    record(chosen, file, seconds, rate, is_exact=is_exact)
    entitle(file, f"{plane.value}, process {chosen}: {seconds} s, {rate} looks a second")
    if as_json:
        show_json({"file": str(file), "pid": chosen, "plane": plane.value, "seconds": seconds, "rate": rate})
    else:
        print(file)


class Running(NamedTuple):
    """A process: its words, and where it is, from which its relative paths lead."""

    pid: int
    words: list[str]
    at: Path


def commands() -> Iterator[Running]:
    """All processes here whose words one may read."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
                at = (entry / "cwd").readlink()
            except OSError:
                continue
            yield Running(int(entry.name), [word.decode(errors="replace") for word in words], at)


def parent(pid: int) -> int:
    """0: it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def topmost(pids: Iterable[int], parent_of: Callable[[int], int]) -> list[int]:
    """Without those that one of them has begun: until it runs something else, a child has its words."""
    every = list(pids)
    return [pid for pid in every if parent_of(pid) not in every]


def serving(found: Iterable[Running], plane: Profiled, state_dir: str = "") -> Iterator[int]:
    """Those that are that plane, and use that directory or one below it, where it is not empty."""
    for pid, words, at in found:
        verb, options = _verb(words)
        is_whole = verb == "up" and not any(word.split("=")[0] in APART for word in options)
        is_pair = (
            plane is Profiled.GATEWAY and verb == "worker" and any(word.startswith("--gateway") for word in options)
        )
        if (verb == plane or is_whole or is_pair) and (not state_dir or _uses(options, at, Path(state_dir))):
            yield pid


def _verb(words: list[str]) -> tuple[str, list[str]]:
    """What an interpreter runs: `python [options] -m attacca.cli.app VERB`, or the same with the command's file."""
    if "python" not in Path(words[0]).name:
        return "", []
    for number, word in enumerate(words[1:], 1):
        if word == "attacca.cli.app" or (not word.startswith("-") and Path(word).name == "attacca"):
            return (words[number + 1], words[number + 2 :]) if number + 1 < len(words) else ("", [])
        if not word.startswith("-"):
            break
    return "", []


def _uses(options: list[str], at: Path, directory: Path) -> bool:
    wanted = directory.expanduser().resolve()
    said = [word.partition("=")[2] for word in options if word.startswith(tuple(f"{name}=" for name in STATE))]
    said += [value for name, value in pairwise(options) if name == "--state-dir"]
    return any(wanted in (path, *path.parents) for path in ((at / one).resolve() for one in said))


def one_of(pids: list[int], plane: Profiled) -> int:
    """
    Raises:
        NotFound: there is none.
        Conflict: there are several.
    """
    if not pids:
        raise NotFound(f"no {plane.value} runs on this machine, or none that you may see", "--pid PID names a process")
    if len(pids) > 1:
        shown = ", ".join(map(str, sorted(pids)))
        raise Conflict(f"several processes here are a {plane.value}: {shown}", "choose by --pid or --state-dir")
    return pids[0]


def record(pid: int, file: Path, seconds: int, rate: int, *, is_exact: bool) -> None:
    """
    Raises:
        BadConfig: py-spy is not installed.
        Forbidden: the process may not be looked into.
        NotFound: there is no such process, or nothing to draw.
    """
    beside = Path(sys.executable).with_name("py-spy")
    tool = str(beside) if beside.exists() else shutil.which("py-spy")
    if tool is None:
        raise BadConfig("profiles are made by py-spy, which is not installed", "pip install 'attacca[profile]'")
    command = [
        tool,
        "record",
        "--pid",
        str(pid),
        "--duration",
        str(seconds),
        "--rate",
        str(rate),
        "--output",
        str(file),
    ]
    command += ["--format", "flamegraph", *([] if is_exact else ["--nonblocking"])]
    try:
        ran = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds + GRACE_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise NotFound(f"py-spy did not come to an end within {seconds + GRACE_S:.0f} s", "try fewer seconds") from None
    said = (ran.stdout + ran.stderr).decode(errors="replace")
    if ran.returncode != 0 or not file.exists():
        raise trouble(pid, said)


def entitle(file: Path, text: str) -> None:
    """In place of the command that drew it, which has paths of this machine and is wider than the picture."""
    drawn = file.read_text(encoding="utf-8")
    file.write_text(TITLE.sub(lambda found: found[1] + escape(text), drawn, count=1), encoding="utf-8")


def trouble(pid: int, said: str) -> AttaccaError:
    """In clear words."""
    low = said.lower()
    if "permission denied" in low or "operation not permitted" in low:
        return Forbidden(f"process {pid} is not to be looked into", RIGHTS)
    if "no stack counts" in low:
        return NotFound(f"process {pid} did nothing in this time", "send it requests meanwhile, or more --seconds")
    if any(words in low for words in ("no such process", "not found", "no such file", "python version")):
        return NotFound(f"no Python process is {pid}", "attacca status, or ps, has those there are")
    why = next((line[:200] for line in said.splitlines() if line.startswith("Error:")), "it said nothing")
    return NotFound(f"py-spy made nothing of process {pid}: {why}", "try again")
