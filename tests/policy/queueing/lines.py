"""What is tried on queues that have a line for each function, beside a dumb twin that looks through one list."""

from collections.abc import Sequence
from itertools import product
from typing import Protocol

from attacca.policy.queueing.types import Queue, Waiting
from tests.drawing import Evenly, several

FUNCTIONS = ["a", "b", "c"]
STEPS = several(
    Evenly(
        list(product(["push"], FUNCTIONS, range(5))),
        list(product(["pop"], ["", "a", "b", "ab", "abc"], [0])),
        list(product(["remove"], [""], range(21))),
    ),
    max_size=50,
)


class Dumb(Protocol):
    items: list[Waiting]  # in the order in which they came

    def pop(self, blocked: str) -> Waiting | None: ...


def check_alike(queue: Queue, dumb: Dumb, steps: Sequence[tuple[str, str, int]]) -> None:
    for now, (step, word, number) in enumerate(steps):
        if step == "push":
            item = Waiting(f"i{now}", word, float(now), exec_s=float(number))
            queue.push(now, item)
            dumb.items.append(item)
        elif step == "pop":
            answer = queue.pop(now, lambda function, word=word: function not in word)  # type: ignore[misc]  # of a default
            assert (answer.item if answer else None) == dumb.pop(word)
            assert answer is None or answer.why
        elif dumb.items:
            gone = dumb.items.pop(number % len(dumb.items))
            assert queue.remove(gone.id) == gone
        assert queue.remove("nobody") is None
        assert len(queue) == len(dumb.items)
        assert [queue.count(f) for f in FUNCTIONS] == [sum(i.function == f for i in dumb.items) for f in FUNCTIONS]


def order(queue: Queue, *names: str, exec_s: dict[str, float] | None = None) -> str:
    for number, name in enumerate(names):
        queue.push(0.0, Waiting(f"{name}{number}", name, 0.0, exec_s=(exec_s or {}).get(name, 1.0)))
    taken = (queue.pop(0.0, lambda _: True) for _ in names)
    return "".join(one.item.function for one in taken if one is not None)
