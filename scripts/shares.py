"""Run tests in several processes, each with a share of the files.

What most of them import is imported once, before they part. They tell nobody about each test, and end without taking
apart what they have: with thousands of small tests all of that is more than half of the work.
"""

import argparse
import gc
import os
import shutil
import sys
import traceback
from collections.abc import Sequence
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile

import pytest

FRUGAL = [
    "--capture=sys",  # no process is started that would write to a descriptor
    "-Wignore:Module already imported:pytest.PytestAssertRewriteWarning",  # of libraries in COMMON
    "-pno:cacheprovider",  # the last to end would write what failed, and nothing of the others
    *(
        f"-pno:{unused}"
        for unused in ("doctest", "junitxml", "legacypath", "logging", "pastebin", "setuponly", "setupplan")
    ),
    *(f"-pno:{unused}" for unused in ("subtests", "unittest", "xdist", "xdist.looponfail", "pytest_cov")),
]
COMMON = [  # a third of all imports, and what Litestar asks for when the first application is made
    *("attacca.cli.serve.server", "attacca.workflow.http", "hypothesis.strategies", "litestar.plugins.pydantic"),
    *("attacca.guest.load", "attacca.guest.serve", "cryptography.hazmat.primitives.ciphers.aead"),
]
LAW = 150  # bytes of other tests that take as long as one @given, or one that is marked as long
LONG = "hypothesis or long"  # the marks of those that draw their cases, or try many
SHORT = "not long"  # of those that try many
MOST = 8  # processes: each takes a while to start
ROUNDS = 8  # of dealing pieces out: what lies far apart in the tree takes far from the same time a byte
NOTHING = 5  # pytest found none to run, which is right where another process did


def weight(text: bytes, marks: str = "") -> int:
    """Of a file of tests of which those with these marks are run."""
    drawn, many, rest = LAW * text.count(b"@given"), LAW * text.count(b"@pytest.mark.long"), len(text)
    if b"\npytestmark = pytest.mark.long" in text:
        drawn, many, rest = 0, rest, 0
    return {LONG: drawn + many, SHORT: rest + drawn}.get(marks, rest + drawn + many)


def cut(sizes: Sequence[int], pieces: int) -> list[slice]:
    """Pieces of about the same size; neighbours stay together, because they import the same."""
    total, before, begins = sum(sizes), 0, [0]
    for index, size in enumerate(sizes):
        if len(begins) < pieces and index and (before + size / 2) * pieces >= total * len(begins):
            begins.append(index)
        before += size
    return [slice(*ends) for ends in zip(begins, [*begins[1:], len(sizes)], strict=True)]


def deal(files: Sequence[str], sizes: Sequence[int], processes: int) -> list[list[str]]:
    """The files of each process: pieces are dealt out to and fro."""
    shares: list[list[str]] = [[] for _ in range(processes)]
    for index, piece in enumerate(cut(sizes, processes * ROUNDS)):
        dealt, place = divmod(index, processes)
        shares[place if dealt % 2 == 0 else processes - 1 - place] += files[piece]
    return [share for share in shares if share]


def begin(arguments: Sequence[str], out: int | None) -> int:
    """A process that has imported what this one has, and ends without taking apart what it has. Its id."""
    if child := os.fork():
        return child
    code: int = pytest.ExitCode.INTERNAL_ERROR
    try:
        if out is not None:
            os.dup2(out, sys.stdout.fileno())
        code = pytest.main(list(arguments))
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        os._exit(code)


def run(shares: Sequence[Sequence[str]]) -> set[int]:
    """The first is seen while it goes on, the others when they have ended. Exit codes."""
    with ExitStack() as kept:
        outs = [None, *(kept.enter_context(TemporaryFile()) for _ in shares[1:])]
        children = [begin(share, out.fileno() if out else None) for share, out in zip(shares, outs, strict=True)]
        codes = set()
        for child, out in zip(children, outs, strict=True):
            codes.add(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            if out:
                out.seek(0)
                shutil.copyfileobj(out, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return codes


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m scripts.shares", description=__doc__, allow_abbrev=False)
    parser.add_argument("-m", dest="marks", default="", help="as pytest has it: which tests, by their marks")
    parser.add_argument("--ignore", type=Path, action="append", default=[], help="as pytest has it, and all else too")
    known, options = parser.parse_known_args()
    files = [
        path for path in sorted(Path("tests").rglob("test_*.py")) if not any(map(path.is_relative_to, known.ignore))
    ]
    sizes = [weight(path.read_bytes(), known.marks) for path in files]
    shares = deal([str(path) for path in files], sizes, min(len(os.sched_getaffinity(0)), MOST))
    seed = f"--hypothesis-seed={int.from_bytes(os.urandom(4))}"  # by which what failed is had again, without a database
    gc.disable()  # while what stays is imported
    for name in COMMON:
        import_module(name)
    gc.freeze()
    gc.enable()
    codes = run([[*FRUGAL, seed, "-m", known.marks, *options, *share] for share in shares])
    if codes - {0, NOTHING}:  # or below 0: ended by a signal
        print(f"Laws were tried with {seed}.")
        return 1
    return 0 if 0 in codes else NOTHING


if __name__ == "__main__":
    sys.exit(main())
