"""What a source of energy figures is: something that can be read, and whose reading may take its time."""

from typing import NamedTuple, Protocol


class Reading(NamedTuple):
    """What a source says at one moment: how much was spent since it was first read, or what is taken now. `parts`: by
    what it counts, in the same unit as whichever of the two is there; `counts`: whatever else it says."""

    joules: float | None = None
    watts: float | None = None
    parts: tuple[tuple[str, float], ...] = ()
    counts: tuple[tuple[str, float], ...] = ()


class Source(Protocol):
    name: str

    def read(self, at: float) -> Reading:
        """May take its time, and is called in a thread of its own. `at`: seconds on any clock that does not jump.

        Raises:
            SourceSilent: it says nothing that can be used, this time.
        """

    def close(self) -> None:
        """What it runs is ended, and a reading that waits for that too. In any thread, and any number of times."""


class SourceSilent(Exception):
    """This machine does not say, or not now; and what to try."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint
