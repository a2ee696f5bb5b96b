"""Counts per minute (or second) and function, kept as the few cells that are not empty; on disk when they are many."""

import shutil
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.uint32]
Cells = tuple[Ints, Ints, Ints]  # bin, function, count; ascending by bin
IN_MEMORY = 12_000_000  # cells; 12 bytes each


class Counts:
    """Filled block by block; `seal` ends a run of blocks whose bins come after those of the run before."""

    def __init__(self, in_memory: int = IN_MEMORY) -> None:
        self.in_memory = in_memory
        self.held = 0
        self.parts: list[Cells] = []
        self.open: list[Cells] = []
        self.directory: Path | None = None

    def __repr__(self) -> str:
        return f"<Counts {len(self.parts)} parts, {self.held} cells>"

    def add(
        self, bins: npt.NDArray[np.integer], functions: npt.NDArray[np.integer], counts: npt.NDArray[np.generic]
    ) -> None:
        full = counts != 0
        self.open.append(
            (bins[full].astype(np.uint32), functions[full].astype(np.uint32), counts[full].astype(np.uint32))
        )

    def seal(self) -> None:
        if not self.open:
            return
        bins, functions, counts = (np.concatenate(column) for column in zip(*self.open, strict=True))
        self.open = []
        order = np.lexsort((functions, bins))
        part = (bins[order], functions[order], counts[order])
        self.held += len(bins)
        self.parts.append(self._on_disk(part) if self.held > self.in_memory else part)

    def _on_disk(self, part: Cells) -> Cells:
        if self.directory is None:
            self.directory = Path(tempfile.mkdtemp(prefix="attacca-trace-"))
            weakref.finalize(self, shutil.rmtree, self.directory, ignore_errors=True)
        paths = [self.directory / f"{len(self.parts)}-{column}.npy" for column in range(3)]
        for path, column in zip(paths, part, strict=True):
            np.save(path, column)
        bins, functions, counts = (np.load(path, mmap_mode="r") for path in paths)
        return bins, functions, counts

    def range(self) -> tuple[int, int]:
        """From the first bin that has something to after the last."""
        full = [bins for bins, _, _ in self.parts if len(bins)]
        return (int(full[0][0]), int(full[-1][-1]) + 1) if full else (0, 0)

    def within(self, first: int, last: int) -> Iterator[Cells]:
        for bins, functions, counts in self.parts:
            begin, end = np.searchsorted(bins, [first, last])
            if begin < end:
                yield bins[begin:end], functions[begin:end], counts[begin:end]

    def chunks(self, first: int, last: int, most: int) -> Iterator[Cells]:
        """Whole bins, as many as `most` invocations fill; one bin at least."""
        for bins, functions, counts in self.within(first, last):
            starts = np.flatnonzero(np.concatenate([[True], bins[1:] != bins[:-1]]))
            sums = np.add.reduceat(counts.astype(np.int64), starts)
            begin, filled = 0, 0
            for number, more in enumerate(sums.tolist()):
                if filled and filled + more > most:
                    cut = int(starts[number])
                    yield bins[begin:cut], functions[begin:cut], counts[begin:cut]
                    begin, filled = cut, 0
                filled += more
            yield bins[begin:], functions[begin:], counts[begin:]

    def totals(self, first: int, last: int, functions: int) -> npt.NDArray[np.int64]:
        total = np.zeros(functions, dtype=np.int64)
        for _, rows, counts in self.within(first, last):
            total += np.bincount(rows, weights=counts, minlength=functions).astype(np.int64)
        return total
