"""What a fuzz target is: where its inputs come from, and what must hold for every one of them."""

from random import Random
from typing import ClassVar

from attacca.errors import AttaccaError
from tests.fuzz.mutation import mutate


def refusal(error: AttaccaError) -> str:
    """A verdict; and every refusal says what to try."""
    assert error.message, "it is refused without a word"
    assert error.hint, "it is refused, and nothing says what to try"
    return f"refused: {error.message}"


class Door:
    """One way into attacca. An input is bytes, so that it can be kept in a file, cut down, and given again.

    `check` is the oracle. It hands the input in, and says in a word or two what became of it: `taken`, or
    `refused: ` and why. Whatever it raises is a fault: most are `AssertionError`, the rest escaped from our code.
    """

    name: ClassVar[str]
    largest: ClassVar[int] = 16_384  # bytes of an input
    words: ClassVar[tuple[bytes, ...]] = ()  # that mean something at this door
    is_slow: ClassVar[bool] = False  # an input is a number that a whole story is drawn from: it is not cut down
    may_cost: ClassVar[float] = 30.0  # how many times as much as the dearest seed, in time and in memory

    def open(self) -> None:
        """Whatever is needed for all inputs together."""

    def close(self) -> None:
        """Let it go."""

    def seeds(self) -> list[bytes]:
        """Inputs that must be taken, made by our own code where that can make them; one of them is `largest`."""
        raise NotImplementedError

    def traps(self) -> list[bytes]:
        """Inputs that no mutation would find soon."""
        return []

    def make(self, chance: Random, corpus: list[bytes]) -> bytes:
        """The next input; by default one of the corpus with a few changes."""
        return mutate(chance, corpus, self.words)[: self.largest]

    def is_a_strangers(self, data: bytes) -> bool:
        """Is its cost ours, or that of who wrote it?"""
        return True

    def check(self, data: bytes) -> str:
        raise NotImplementedError
