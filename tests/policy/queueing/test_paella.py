"""The shortest first, and who is passed over too often before it."""

from collections.abc import Sequence

from hypothesis import given

from attacca.policy.queueing.paella import Paella
from attacca.policy.queueing.types import Waiting
from tests.policy.queueing.lines import STEPS, check_alike, order


class DumbPaella:
    def __init__(self, deficit: float) -> None:
        self.deficit, self.items, self.deficits = deficit, list[Waiting](), dict[str, float]()

    def pop(self, blocked: str) -> Waiting | None:
        names = list(dict.fromkeys(item.function for item in self.items))
        heads = [next(item for item in self.items if item.function == name) for name in names if name not in blocked]
        if not heads:
            return None
        passed = [item for item in heads if self.deficits.get(item.function, 0) >= self.deficit]
        by_deficit = [(-self.deficits.get(item.function, 0), self.items.index(item), item) for item in passed]
        by_length = [(item.exec_s, self.items.index(item), item) for item in heads]
        chosen = min(by_deficit or by_length)[2]
        for name in names if len(names) > 1 else []:
            lost = 1 if name == chosen.function else 0
            self.deficits[name] = self.deficits.get(name, 0) + 1 / len(names) - lost
        self.items.remove(chosen)
        if all(item.function != chosen.function for item in self.items) and self.deficits.get(chosen.function, 1) <= 0:
            del self.deficits[chosen.function]
        return chosen


@given(steps=STEPS)
def test_it_does_what_the_dumb_twin_does(steps: Sequence[tuple[str, str, int]]) -> None:
    check_alike(Paella(deficit=1.0).fresh(), DumbPaella(1.0), steps)


def test_a_function_that_is_passed_over_has_its_turn() -> None:
    takes = {"a": 1.0, "b": 5.0}
    assert order(Paella().fresh(), *"babababa", exec_s=takes) == "aaaabbbb"
    assert order(Paella(deficit=1.0).fresh(), *"babababa", exec_s=takes) == "aabababb"


def test_what_it_remembers_in_a_line() -> None:
    queue = Paella().fresh()
    assert order(queue, *"aab") == "aab"
    queue.push(0.0, Waiting("x", "c", 0.0))
    assert repr(queue) == "<PaellaQueue <BatchLines 1 waiting of 1 functions>, 1 deficits>"
