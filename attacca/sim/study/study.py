"""Run a grid of simulations on all cores or on a cluster, keep what each came to, and do none of them twice.

A study is a directory with one run directory per cell, named after its configuration, its seed and its key. A cell
whose directory is there is not run again, so that a study that was interrupted goes on where it stopped. Kept are
run.json and the digest; the records themselves only on request, for they are a hundred times as large.
"""

import multiprocessing
import os
import re
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Final

import msgspec

from attacca.errors import AttaccaError, StateUnavailable
from attacca.sim.study.grid import Cell
from attacca.sim.study.job import SIMULATE, Job, perform

CELLS_PER_PROCESS: Final = 25  # then processes are renewed, so that nothing piles up in them (the pool does it wrong)


class Failed(msgspec.Struct, frozen=True):
    cell: Cell
    why: str


class StudyOutcome(msgspec.Struct, frozen=True):
    paths: list[Path]  # of the cells that are there now, in the order of the cells
    reused: int
    failed: list[Failed]


Tell = Callable[[int, int, Cell], None]  # how many are done, of how many, and which was the last


class Study:
    """A directory of runs and the cells that belong in it."""

    def __init__(
        self, directory: Path, cells: Sequence[Cell], *, simulate: str = SIMULATE, keep_records: bool = False
    ) -> None:
        self.directory, self.cells = directory, list(cells)
        self._simulate, self._keep_records = simulate, keep_records

    def path(self, cell: Cell) -> Path:
        words = re.sub(r"[^\w.=-]+", "-", cell.label)[:60]
        return self.directory / f"{words}-seed{cell.scenario.seed}-{cell.key}"

    def outdated(self) -> int:
        """Of the missing ones, those that are there as other code, settings or traces made them."""
        return sum(any(self.directory.glob(self.path(cell).name.rpartition("-")[0] + "-*")) for cell in self.missing())

    def missing(self) -> list[Cell]:
        return [cell for cell in self.cells if not (self.path(cell) / "digest.json").exists()]

    def run(self, tell: Tell, processes: int | None = None, cluster: str = "") -> StudyOutcome:
        """
        Raises:
            StateUnavailable: the directory cannot be written to.
            Unreachable: nobody answers at the cluster's address.
        """
        missing = self.missing()
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StateUnavailable(f"{self.directory}: {error.strerror}", "give another directory with --out") from None
        failed = []
        for done, (cell, result) in enumerate(self._performed(missing, processes, cluster), start=1):
            if isinstance(result, bytes):
                self._keep(cell, result)
            else:
                failed.append(Failed(cell, _reason(result)))
            tell(done, len(missing), cell)
        there = [path for cell in self.cells if (path := self.path(cell)).joinpath("digest.json").exists()]
        return StudyOutcome(there, len(self.cells) - len(missing), failed)

    def _performed(
        self, cells: list[Cell], processes: int | None, cluster: str
    ) -> Iterator[tuple[Cell, bytes | BaseException]]:
        jobs = [self._job(cell, is_here=not cluster) for cell in cells]
        if not cells:
            return
        if cluster:
            from attacca.sim.study.dask import perform_on

            for place, result in perform_on(cluster, jobs):
                yield cells[place], result
        elif processes == 0 or len(cells) == 1:
            for cell, job in zip(cells, jobs, strict=True):
                yield cell, _tried(job)
        else:
            size = min(processes or cores(), len(cells))
            for start in range(0, len(cells), size * CELLS_PER_PROCESS):
                some = slice(start, start + size * CELLS_PER_PROCESS)
                with pool(size) as executor:
                    yield from _as_they_come(executor, cells[some], jobs[some])

    def _job(self, cell: Cell, *, is_here: bool) -> Job:
        kept = str(self._beginning(cell)) if self._keep_records and is_here else None
        if kept:
            shutil.rmtree(kept, ignore_errors=True)  # of an earlier try
        return Job(cell.scenario, self._simulate, cell.mark, kept)

    def _beginning(self, cell: Cell) -> Path:
        """Where a run is recorded before it is whole."""
        return self.path(cell).with_name(f".{cell.key}.new")

    def _keep(self, cell: Cell, digest: bytes) -> None:
        """A cell appears whole or not at all."""
        begun = self._beginning(cell)
        begun.mkdir(exist_ok=True)
        if not (begun / "run.json").exists():
            info = msgspec.json.decode(digest, type=dict[str, msgspec.Raw])["info"]
            (begun / "run.json").write_bytes(bytes(info))
        (begun / "digest.json").write_bytes(digest)
        begun.rename(self.path(cell))


def _tried(job: Job) -> bytes | BaseException:
    try:
        return perform(job)
    except Exception as error:  # noqa: BLE001 - one cell that fails must not take the others with it
        return error


def _reason(error: BaseException) -> str:
    return error.message if isinstance(error, AttaccaError) else f"{type(error).__name__}: {error}"


def _as_they_come(
    executor: Executor, cells: Sequence[Cell], jobs: Sequence[Job]
) -> Iterator[tuple[Cell, bytes | BaseException]]:
    waiting: dict[Future[bytes], Cell] = {}
    for cell, job in zip(cells, jobs, strict=True):
        waiting[executor.submit(perform, job)] = cell
    try:
        for future in as_completed(waiting):
            error = future.exception()
            yield waiting[future], future.result() if error is None else error
    except BaseException:  # Ctrl-C: what is done is kept, what has not begun never begins
        executor.shutdown(wait=False, cancel_futures=True)
        raise


def pool(processes: int) -> ProcessPoolExecutor:
    """Processes that begin anew, since threads of the parent (polars has some) do not survive a fork."""
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # for them: each has one core
    return ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _ordinary)


def _ordinary() -> None:
    """Ctrl-C ends a process at once and in silence: the parent says what happened. So does the parent's own end, which
    the pool's pipes do not tell, as each process has both ends of them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def cores() -> int:
    return len(os.sched_getaffinity(0))
