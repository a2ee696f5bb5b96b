"""Rows that cannot be read: where they are and why; refused, or left out where that was asked for."""

from pathlib import Path

from attacca.errors import BadTrace

SHOWN = 5


class Bad:
    """Counts every one, and remembers the first few."""

    def __init__(self, *, skip: bool = False) -> None:
        self.skip = skip
        self.count = 0
        self.first: list[str] = []

    def row(self, path: Path, line: int, why: str) -> None:
        self.count += 1
        if len(self.first) < SHOWN:
            self.first.append(f"{path}:{line}: {why}")

    def settle(self) -> None:
        """When all is read.

        Raises:
            BadTrace: some rows could not be read, and nobody said that they may be left out.
        """
        if self.count and not self.skip:
            raise BadTrace(self.told(), "mend them, or leave them out with --skip-bad")

    def told(self) -> str:
        more = f"\n  and {self.count - len(self.first)} more" * (self.count > len(self.first))
        rows = "a row is" if self.count == 1 else f"{self.count} rows are"
        return f"{rows} malformed:\n  " + "\n  ".join(self.first) + more
