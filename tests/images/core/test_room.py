from attacca.images.core.room import Kept, going, needed
from tests.cases import each

OLD = Kept("old", 1, {"old": 1, "base": 50, "a": 10})
NEW = Kept("new", 2, {"new": 1, "base": 50, "b": 10})
BOTH = Kept("both", 3, {"both": 1}, ("old", "new"))


@each(
    "kept, held, excess, gone",
    [
        ([OLD, NEW], [], 0, []),
        ([OLD, NEW], [], 5, ["old"]),
        ([NEW, OLD], [], 12, ["old", "new"]),  # what both have is free when both are gone
        ([OLD, NEW], ["old"], 12, ["new"]),
        ([OLD, NEW, BOTH], ["both"], 12, []),
        ([OLD, NEW, BOTH], ["elsewhere"], 100, ["old", "new", "both"]),
    ],
)
def test_who_goes(kept: list[Kept], held: list[str], excess: int, gone: list[str]) -> None:
    assert going(kept, held, excess) == gone


def test_what_an_index_lists_is_needed() -> None:
    assert needed([OLD, NEW, BOTH], ["both"]) == {"both", "old", "new"}
    assert needed([Kept("loop", 1, {}, ("loop",))], ["loop"]) == {"loop"}
