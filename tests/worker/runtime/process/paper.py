"""Cgroups that only remember what was asked of them."""

from collections.abc import Iterable


class Paper:
    """A tree of them. `fails` names what the kernel refuses."""

    def __init__(self) -> None:
        self.made: list[Place] = []
        self.where: dict[int, Place] = {}
        self.story: list[str] = []
        self.fails: set[str] = set()

    def make(self) -> "Place":
        self.check("make")
        group = Place(self, str(len(self.made) + 1))
        self.made.append(group)
        return group

    def check(self, what: str) -> None:
        if what in self.fails:
            raise OSError(what)


class Place:
    """One group."""

    def __init__(self, paper: Paper, name: str) -> None:
        self._paper, self.name = paper, name
        self.living: list[int] = []
        self.is_united = False

    def __repr__(self) -> str:
        return f"<Place {self.name}>"

    def _tell(self, what: str) -> None:
        self._paper.story.append(f"{self.name} {what}")

    def limit(self, memory_mb: int, processes: int, cpus: float | None) -> None:
        self._tell(f"limit {memory_mb} {processes} {cpus}")

    def add(self, pid: int) -> None:
        self._paper.check("add")
        self._paper.where[pid] = self
        self._tell(f"add {pid}")

    def doors(self) -> tuple[int, ...]:
        return ()

    def unite(self) -> None:
        self._paper.check("unite")
        self.is_united = True

    def divide(self, living: Iterable[int], memory_mb: int, processes: int, cpus: float | None) -> None:
        self._paper.check("divide")
        self._tell(f"divide {memory_mb} {processes} {cpus} for {[*living]}")

    def resize(self, memory_mb: int, processes: int, cpus: float) -> None:
        self._tell(f"resize {memory_mb} {processes} {cpus:g}")

    def inner(self, name: str) -> "Place":
        self._paper.check("inner")
        self._tell(f"inner {name}")
        return Place(self._paper, f"{self.name}/{name}")

    def has_run_out(self) -> bool:
        return False

    def processes(self) -> list[int]:
        return list(self.living)

    def used(self) -> tuple[int, int | None]:
        return 0, None

    def is_removed(self) -> bool:
        return not self.living
