"""Builds each program of examples/programs, deploys it, calls it as its `calls.toml` says, and prints what it costs.

python -m tests.languages [NAME ...]
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

from attacca.client.component import ready
from attacca.client.source import find
from tests.live.called import calls, deploy, expect
from tests.live.patience import PATIENCE_S
from tests.live.whole import Whole, running

ROOT = Path(__file__).parents[1]
PLACE = ROOT / "examples" / "programs"
WARM = 200  # calls


class Row(NamedTuple):
    name: str
    kb: float  # of what is deployed
    built_s: float
    cold_ms: float  # seen by the client
    program_ms: float  # of that, from its start until it has asked or listened
    warm_ms: float  # p50, one connection


def built(name: str, inside: Path) -> tuple[Path, float]:
    """A copy with what its build makes, and how long that took. Toolchains that are missing are installed, for root."""
    for command, package in tomllib.loads((PLACE / name / "calls.toml").read_text())["needs"].items():
        if shutil.which(command) is None and not Path(command).is_file():
            subprocess.run([ROOT / "scripts" / "debian.sh", package], check=True)
    place = inside / name
    shutil.copytree(PLACE / name, place)
    began = time.monotonic()
    if (place / "build").exists():
        path = (
            f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # of the environment that has what it needs of Python
        )
        subprocess.run(["./build"], cwd=place, check=True, env={**os.environ, "PATH": path})
    return place, time.monotonic() - began


def run(server: Whole, name: str, inside: Path) -> Row:
    place, built_s = built(name, inside)
    settings = place / "function.toml"
    began = time.monotonic()
    with ready(find(place, {}), print) as source:
        built_s += time.monotonic() - began
        deploy(server, name, source.path, **(tomllib.loads(settings.read_text()) if settings.exists() else {}))
    first, *others = calls(place)
    began = time.monotonic()
    headers = dict(expect(server, name, first))
    cold_ms = (time.monotonic() - began) * 1e3
    assert headers["x-attacca-start"] in ("cold", "template"), headers
    for told in others:
        expect(server, name, told)
    size = sum(path.stat().st_size for path in place.rglob("*"))
    took = dict(part.strip().split(";dur=") for part in headers["server-timing"].split(","))
    row = Row(name, size / 1024, built_s, cold_ms, float(took["imports"]), statistics.median(warm(server, name)))
    server.delete(name)
    return row


def warm(server: Whole, name: str) -> Iterator[float]:
    """Milliseconds of one call after the other."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_S)
    for _ in range(WARM):
        began = time.monotonic()
        connection.request("POST", f"/function/{name}", b"{}", {"Content-Type": "application/json"})
        connection.getresponse().read()
        yield (time.monotonic() - began) * 1e3
    connection.close()


def main(names: list[str]) -> None:
    names = names or sorted(path.parent.name for path in PLACE.glob("*/calls.toml"))
    print(f"{'program':<12}{'KB':>9}{'built, s':>10}{'cold, ms':>10}{'its start':>11}{'warm, ms':>10}")
    with tempfile.TemporaryDirectory() as inside, running(Path(inside) / "state") as server:
        for name in names:
            row = run(server, name, Path(inside))
            print(
                f"{row.name:<12}{row.kb:>9,.0f}{row.built_s:>10.1f}{row.cold_ms:>10.1f}{row.program_ms:>11.1f}"
                f"{row.warm_ms:>10.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1:])
