"""What all members of the family have in common, and what each of them goes by."""

from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.kernel.rand import Streams
from attacca.policy.slots import SLOTS
from attacca.policy.slots.knative import Knative
from attacca.policy.slots.latest import Latest
from attacca.policy.slots.least import Least
from attacca.policy.slots.least_loaded import LeastLoaded
from attacca.policy.slots.least_processed import LeastProcessed
from attacca.policy.slots.ordered import Ordered
from attacca.policy.slots.random import Random
from attacca.policy.slots.round_robin import RoundRobin
from attacca.policy.slots.types import Free, Slotting

members = pytest.mark.parametrize("name", SLOTS)
STORIES = st.lists(st.tuples(st.sampled_from(["take", "take", "end", "come", "go"]), st.integers(0, 5)), max_size=40)


class Copy(msgspec.Struct):
    id: str
    limit: int = 1
    taken: int = 0
    served: int = 0


class Function:
    """A gateway's sandboxes of one function; each step is told of as a gateway tells it."""

    def __init__(self, policy: Slotting, limit: int = 1) -> None:
        self.free: Free = policy.fresh(Streams(1).stream("slots"))
        self.limit = limit
        self.sandboxes: dict[str, Copy] = {}

    def come(self, name: str, limit: int = 0) -> None:
        if name not in self.sandboxes:
            self.sandboxes[name] = Copy(name, limit or self.limit)
            self.free.add(self.sandboxes[name])

    def go(self, name: str) -> None:
        if self.sandboxes.pop(name, None) is not None:
            self.free.discard(name)

    def take(self) -> str:
        chosen, why = self.free.pick()
        assert why
        sandbox = self.sandboxes[chosen]
        sandbox.taken += 1
        sandbox.served += 1
        self._tell(sandbox)
        return chosen

    def end(self, name: str) -> None:
        sandbox = self.sandboxes.get(name)
        if sandbox is not None and sandbox.taken:
            sandbox.taken -= 1
            self._tell(sandbox)

    def _tell(self, sandbox: Copy) -> None:
        if sandbox.taken < sandbox.limit:
            self.free.add(sandbox)
        else:
            self.free.discard(sandbox.id)

    def open(self) -> list[Copy]:
        return [one for one in self.sandboxes.values() if one.taken < one.limit]

    def play(self, story: list[tuple[str, int]]) -> list[str]:
        taken = []
        for what, number in story:
            name = f"s{number}"
            if what == "take":
                if self.open():
                    taken.append(self.take())
            else:
                getattr(self, what)(name)
            assert len(self.free) == len(self.open())
        return taken


def function(policy: Slotting, names: str = "abcd", limit: int = 1) -> Function:
    one = Function(policy, limit)
    for name in names:
        one.come(name)
    return one


@members
@given(story=STORIES, limit=st.sampled_from([1, 2, 5, 1000]))
def test_only_who_has_a_free_slot_is_picked(name: str, story: list[tuple[str, int]], limit: int) -> None:
    one = Function(SLOTS[name](), limit)
    for what, number in story:
        room = [copy.id for copy in one.open()]
        if what == "take" and room:
            assert one.take() in room
        elif what != "take":
            one.play([(what, number)])


@members
@given(story=STORIES)
def test_the_same_seed_picks_the_same(name: str, story: list[tuple[str, int]]) -> None:
    policy = SLOTS[name]()
    assert Function(policy, 2).play(story) == Function(policy, 2).play(story)


@pytest.mark.parametrize("policy", [RoundRobin(), LeastProcessed(), LeastLoaded(), Knative()])
@given(story=STORIES, order=st.permutations(range(6)))
def test_the_order_in_which_they_came_does_not_matter(
    policy: Slotting, story: list[tuple[str, int]], order: list[int]
) -> None:
    plain, other = Function(policy, 2), Function(policy, 2)
    plain.play([("come", number) for number in range(6)])
    other.play([("come", number) for number in order])
    assert plain.play(story) == other.play(story)


@given(STORIES, st.sampled_from([1, 3]))
def test_the_least_is_whom_looking_at_all_would_find(story: list[tuple[str, int]], limit: int) -> None:
    processed, loaded = Function(LeastProcessed(), limit), Function(LeastLoaded(), limit)
    for what, number in story:
        for one in (processed, loaded):
            if what != "take":
                one.play([(what, number)])
        if what == "take" and processed.open():
            best = min(processed.open(), key=lambda copy: (copy.served, copy.id)).id
            assert processed.take() == best
        if what == "take" and loaded.open():
            best = min(loaded.open(), key=lambda copy: (copy.taken / copy.limit, copy.id)).id
            assert loaded.take() == best


def test_the_latest_that_became_free_is_used_again() -> None:
    one = function(Latest())
    assert [one.take(), one.take()] == ["d", "c"]
    one.end("d")
    assert [one.take(), one.take()] == ["d", "b"]


def test_one_after_the_other_and_who_is_full_is_passed_over() -> None:
    one = function(RoundRobin())
    taken = [one.take() for _ in range(3)]
    one.end("b")
    assert [*taken, one.take(), one.take()] == ["a", "b", "c", "d", "b"]


def test_each_is_as_likely() -> None:
    one = function(Random(), limit=10**6)
    counts = Counter(one.take() for _ in range(4000))
    assert sum((count - 1000) ** 2 / 1000 for count in counts.values()) < 16.3  # chi-square, 3 degrees, p = 0.001


def test_knative_goes_by_how_many_a_sandbox_takes() -> None:
    few, many = function(Knative(), limit=2), function(Knative(), limit=4)
    assert [few.take() for _ in range(5)] == ["a", "a", "b", "b", "c"]
    assert [many.take() for _ in range(5)] == ["a", "b", "c", "d", "a"]
    endless = function(Knative(), limit=1000)
    for _ in range(400):
        endless.take()
    assert max(copy.taken for copy in endless.sandboxes.values()) <= 108  # by one draw it would be about 115
    alone = function(Knative(), "a", limit=1000)
    assert alone.free.pick() == ("a", "the only one")


def test_what_says_nothing_any_more_is_left_behind() -> None:
    one = function(LeastProcessed(), "ab", limit=10**6)
    for _ in range(1000):
        one.take()
    assert len(one.free._heap) < 50  # type: ignore[attr-defined]


def test_they_say_their_state() -> None:
    said = {name: repr(function(policy(), "ab", 5).free) for name, policy in SLOTS.items()}
    assert said == {
        "latest": "<Stack of 2>",
        "knative": "<Activator of 2, last none>",
        "random": "<Urn of 2>",
        "round_robin": "<Turns of 2, last none>",
        "least_processed": "<Fewest of 2, 2 entries>",
        "least_loaded": "<Lightest of 2, 2 entries>",
    }
    assert (repr(Least("why")), repr(Ordered())) == ("<Least of 0, 0 entries>", "<Ordered of 0, last none>")
