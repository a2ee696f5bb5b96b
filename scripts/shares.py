"""Run tests in several processes, each with a share of the files.

A process imports what its own files need, and tells nobody about each test: with thousands of small ones that is half
of the work.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FRUGAL = [
    "--capture=sys",  # no process is started that would write to a descriptor
    "-pno:cacheprovider",  # the last to end would write what failed, and nothing of the others
    *(f"-pno:{unused}" for unused in ("doctest", "junitxml", "legacypath", "pastebin", "setuponly", "setupplan")),
    *(f"-pno:{unused}" for unused in ("subtests", "unittest")),
]
LAW = 150  # bytes of other tests that take as long as one @given
MOST = 8  # processes: each takes a while to start
NOTHING = 5  # pytest found none to run, which is right where another process did


def weight(text: bytes) -> int:
    return len(text) + LAW * text.count(b"@given")


def cut(sizes: Sequence[int], pieces: int) -> list[slice]:
    """Pieces of about the same size; neighbours stay together, because they import the same."""
    total, before, begins = sum(sizes), 0, [0]
    for index, size in enumerate(sizes):
        if len(begins) < pieces and index and (before + size / 2) * pieces >= total * len(begins):
            begins.append(index)
        before += size
    return [slice(*ends) for ends in zip(begins, [*begins[1:], len(sizes)], strict=True)]


def run(command: Sequence[str], shares: Sequence[Sequence[Path]]) -> set[int]:
    """The first is seen while it goes on, the others when they have ended. Exit codes."""
    first, *others = ([*command, *map(str, share)] for share in shares)
    with ThreadPoolExecutor(len(shares)) as pool:
        behind = [pool.submit(subprocess.run, other, stdout=subprocess.PIPE) for other in others]
        codes = {subprocess.run(first, check=False).returncode}
        for each in behind:
            ended = each.result()
            sys.stdout.buffer.write(ended.stdout)
            codes.add(ended.returncode)
    return codes


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.shares", description=__doc__, allow_abbrev=False)
    parser.add_argument("--ignore", type=Path, action="append", default=[], help="as pytest has it, and all else too")
    known, options = parser.parse_known_args()
    files = [
        path for path in sorted(Path("tests").rglob("test_*.py")) if not any(map(path.is_relative_to, known.ignore))
    ]
    pieces = cut([weight(path.read_bytes()) for path in files], min(len(os.sched_getaffinity(0)), MOST))
    seed = f"--hypothesis-seed={int.from_bytes(os.urandom(4))}"  # by which what failed is had again, without a database
    codes = run([sys.executable, "-m", "pytest", *FRUGAL, seed, *options], [files[piece] for piece in pieces])
    if codes - {0, NOTHING}:  # or below 0: ended by a signal
        print(f"Laws were tried with {seed}.")
        return 1
    return 0 if 0 in codes else NOTHING


if __name__ == "__main__":
    sys.exit(main())
