"""Where an invocation runs that may run on both: laws for all policies, and each one's formula in a table."""

from collections.abc import Sequence
from math import exp, log2, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.errors import BadConfig
from attacca.kernel.rand import Streams
from attacca.kernel.registry import build
from attacca.model.accelerators import Compute
from attacca.policy.dispatch import DISPATCH
from attacca.policy.dispatch.greedy_weights import GreedyWeights
from attacca.policy.dispatch.hit_throughput import HitThroughput
from attacca.policy.dispatch.landlord import Landlord, Residents
from attacca.policy.dispatch.mice import Mice
from attacca.policy.dispatch.mwua import Mwua
from attacca.policy.dispatch.top_average import TopAverage
from attacca.policy.dispatch.types import BOTH, CPU, GPU, Asked, Dispatcher, Dispatching, Side, begin
from attacca.policy.dispatch.ucb1 import Ucb1
from tests.cases import each

SMALL = st.sampled_from((0.0, 0.1, 0.5, 1.0, 2.0, 4.0))
SIDES = st.builds(
    Side,
    exec_s=SMALL,
    total_s=SMALL,
    last_s=SMALL,
    start_s=SMALL,
    wait_s=SMALL,
    queued=st.integers(0, 4),
    running=st.integers(0, 2),
    sandboxes=st.integers(0, 2),
)
ASKED = st.builds(Asked, function=st.sampled_from("abc"), cpu=SIDES, gpu=SIDES, gap_s=SMALL, share=st.floats(0, 1))


class Fixed:
    """Chance that is always the same."""

    def __init__(self, value: float) -> None:
        self.value = value

    def random(self) -> float:
        return self.value

    expovariate = choice = sample = getrandbits = random


def fresh(policy: Dispatching, chance: float = 0.5) -> Dispatcher:
    return begin(policy, Fixed(chance))  # type: ignore[arg-type]  # drawn, or wrong on purpose


def side(exec_s: float = 0.0, **facts: float) -> Side:
    return Side(exec_s=exec_s, **facts)  # type: ignore[arg-type]  # of its fields


def asked(cpu: Side = Side(), gpu: Side = Side(), function: str = "a", **facts: float) -> Asked:  # noqa: B008 - frozen
    return Asked(function=function, cpu=cpu, gpu=gpu, **facts)


@pytest.mark.parametrize("name", sorted(DISPATCH))
@given(course=st.lists(st.tuples(ASKED, st.booleans()), max_size=12))
def test_every_policy_answers_with_a_reason_and_the_same_again(name: str, course: Sequence[tuple[Asked, bool]]) -> None:
    one, other = (begin(DISPATCH[name](), Streams(1).stream("dispatch")) for _ in range(2))
    for now, (told, ends) in enumerate(course):
        answers = [of.choose(float(now), told) for of in (one, other)]
        assert answers[0] == answers[1]
        assert answers[0].on in (CPU, GPU, BOTH)
        assert answers[0].why
        if ends:
            for of in (one, other):
                of.ended(float(now), told.function, answers[0].on[0], told.cpu.exec_s, told.cpu.total_s)
    assert repr(one) == repr(other)


FAST, SLOW = side(1.0, start_s=1.0), side(5.0, start_s=5.0)


@each(
    "policy, options, told, on",
    [
        ("all", {}, asked(), BOTH),
        ("always", {}, asked(), GPU),
        ("always", {"on": "cpu"}, asked(), CPU),
        ("shortest", {}, asked(SLOW, FAST), GPU),
        ("shortest", {}, asked(FAST, SLOW), CPU),
        ("shortest", {}, asked(FAST), GPU),
        ("estimate", {}, asked(side(start_s=1, wait_s=3), side(start_s=2, wait_s=1)), GPU),
        ("estimate", {}, asked(side(start_s=1), side(start_s=2)), CPU),
        ("speedup", {}, asked(SLOW, FAST), GPU),
        ("speedup", {}, asked(side(4.0), side(1.0)), CPU),
        ("speedup", {}, asked(side(4.0)), GPU),
        ("speedup", {}, asked(gpu=side(4.0)), CPU),
        ("speedup", {"then": "estimate"}, asked(SLOW, side(1.0, wait_s=9)), CPU),
        ("popular", {}, asked(share=0.15), GPU),
        ("popular", {}, asked(share=0.1), CPU),
        ("popular", {"which": "rare"}, asked(share=0.1), GPU),
        ("popular", {"then": "short_queue"}, asked(gpu=side(queued=3), share=0.5), CPU),
        ("popular", {"then": "estimate"}, asked(FAST, SLOW, share=0.5), CPU),
    ],
)
def test_those_that_remember_nothing(
    policy: str, options: dict[str, object], told: Asked, on: tuple[Compute, ...]
) -> None:
    made = build(DISPATCH, policy, options, "attacca.policy.dispatch")
    assert fresh(made).choose(0.0, told).on == on


def test_a_threshold_follows_the_average_or_the_queue() -> None:
    options = {"ratio": 4.0, "then": "estimate", "threshold": "average"}
    average = fresh(build(DISPATCH, "speedup", options, "attacca.policy.dispatch"))
    assert [average.choose(0.0, asked(side(3.0, start_s=3), side(1.0))).on for _ in range(3)] == [CPU] * 3
    assert repr(average) == f"<Fast from {3 + 0.9**3:g} times on>"
    queue = fresh(build(DISPATCH, "speedup", {"threshold": "queue"}, "attacca.policy.dispatch"))
    for _ in range(10):
        queue.choose(0.0, asked(SLOW, FAST))
    assert repr(queue) == f"<Fast from {4 * 0.99**10:g} times on>"
    queue.choose(0.0, asked(SLOW, side(1.0, queued=3)))
    assert repr(queue) == "<Fast from 4 times on>"


def test_who_has_less_to_do_picks_first_and_takes_what_is_small_enough() -> None:
    mice = fresh(Mice(threshold_s=2.0, device_threshold_s=3.0, every=4, step_s=0.5, load=0.5))

    def chosen(now: float, cpu: Side, gpu: Side) -> tuple[Compute, ...]:
        return mice.choose(now, asked(cpu, gpu)).on

    quick, busy = {"start_s": 1.0}, {"start_s": 9.0}
    assert chosen(0.0, side(2.0, **quick), side(9.0, **busy)) == CPU
    assert chosen(0.0, side(2.1, **quick), side(9.0, **busy)) == GPU
    assert chosen(0.0, side(0.1, **busy), side(3.0, **quick)) == GPU
    assert chosen(2.0, side(0.1, **busy), side(3.1, **quick)) == CPU, "2.1 s in 2 s are more than half"
    assert repr(mice) == "<Thresholds 1.5 s of processors, 0 s given>"
    for now in (3.0, 4.0, 5.0, 6.0):
        assert chosen(now, side(1.0, **quick), side(0.1, **quick)) == GPU, "equals go to the device"
    assert repr(mice) == "<Thresholds 2 s of processors, 0 s given>"


def test_what_was_tried_seldom_is_given_the_benefit_of_the_doubt() -> None:
    bandit = fresh(Ucb1())
    told = asked(side(total_s=1.0), side(total_s=1.2))
    gpu, count = 0, 40
    for number in range(count):
        least_gpu = 1.2 - sqrt(log2(number + 2) / (gpu + 1))
        least_cpu = 1.0 - sqrt(log2(number + 2) / (number - gpu + 1))
        on = bandit.choose(0.0, told).on
        assert on == (GPU if least_gpu <= least_cpu else CPU)
        gpu += on == GPU
    assert 0 < gpu < count - gpu, "the better one is taken more often, and the other is not forgotten"


def test_it_stays_where_it_does_well() -> None:
    weighing = fresh(Mwua(), chance=0.6)
    assert weighing.choose(0.0, asked()).on == CPU
    good, bad = asked(side(last_s=1.0), side(last_s=2.0)), asked(side(last_s=9.0), side(last_s=0.1))
    assert weighing.choose(0.0, good).why == "where it was before"
    assert weighing.choose(0.0, bad).why == "where it was before"
    for _ in range(3):
        last = weighing.choose(0.0, bad)
    assert last.why == "where it was before"
    lucky = fresh(Mwua(), chance=0.75)
    lucky.choose(0.0, bad)
    cost = 1 - 0.3 * (9.0 - 0.1) / 9.0
    assert lucky.choose(0.0, bad).why == f"drawn, with {1 / (1 + cost):.3g} for a device"


@each("chance, on", [(0.05, GPU), (0.2, CPU)])
def test_a_device_is_drawn_with_its_own_share_and_not_the_other(chance: float, on: tuple[Compute, ...]) -> None:
    hits = fresh(HitThroughput(active_s=2.0), chance)
    told = asked(side(start_s=1.0, sandboxes=1), side(start_s=0.001))
    on_gpu = (1 - exp(-2.0 / 10_000.0)) / 0.001
    assert on_gpu / (on_gpu + 0.99) == pytest.approx(0.168, abs=0.001)
    assert hits.choose(0.0, told).on == on


def test_what_is_called_as_often_as_the_average_goes_to_a_device() -> None:
    gaps = fresh(TopAverage())
    assert gaps.choose(0.0, asked()).on == CPU
    assert [gaps.choose(0.0, asked(function=name, gap_s=gap)).on for name, gap in (("a", 1.0), ("b", 3.0))] == [
        GPU,
        CPU,
    ]
    assert gaps.choose(0.0, asked(function="a", gap_s=2.0)).on == GPU
    assert repr(gaps) == "<Gaps of 2 functions>"


def test_those_that_save_the_most_go_to_devices() -> None:
    told = {name: asked(side(1.0 + n), side(1.0, slots=4, start_s=9), name, gap_s=1.0) for n, name in enumerate("abcd")}
    greedy = fresh(GreedyWeights(allow="size", size=2))
    for name in "abcd":
        greedy.choose(0.0, told[name])
    assert [greedy.choose(5.0, told[name]).on for name in "abcd"] == [CPU, CPU, CPU, GPU]
    assert repr(greedy) == "<Sorted 4 functions, 2 allowed>"
    every = fresh(GreedyWeights(allow="load", load=2.0, fixed=True))
    for name in "abcd":
        every.choose(0.0, told[name])
    assert [every.choose(5.0, told[name]).on for name in "abcd"] == [CPU, CPU, GPU, GPU]


def landlord(chance: float = 0.9, **options: object) -> Residents:
    found = fresh(Landlord(**options), chance)  # type: ignore[arg-type]  # of its fields
    assert isinstance(found, Residents)
    return found


def saves(seconds: float, function: str, **gpu: float) -> Asked:
    return asked(side(1.0 + seconds, start_s=1.0 + seconds), side(1.0, start_s=1.0, **gpu), function)


def test_one_that_saves_time_is_let_in_and_one_that_does_not_is_not() -> None:
    residents = landlord(size=2)
    assert residents.choose(0.0, saves(2.0, "a")).on == GPU
    assert residents.choose(0.0, saves(-0.5, "b")).why == "would save nothing on a device"
    assert residents.choose(0.0, saves(2.0, "a")).why == "has a place on a device"
    assert repr(residents) == "<Residents 1 of 2, 2 hits, 1 misses, 0 evictions>"
    assert repr(residents.residents["a"]) == "<Resident with 3.95, 2 there, 2 so far>"


def test_who_is_charged_until_nothing_is_left_goes_once_nothing_of_it_is_there() -> None:
    residents = landlord(size=1)
    residents.choose(0.0, saves(2.0, "a"))
    assert residents.choose(1.0, saves(1.5, "b")).on == CPU
    assert residents.choose(2.0, saves(1.5, "b")).on == CPU, "something of it runs there still"
    residents.ended(3.0, "a", Compute.GPU, 1.0, 1.0)
    assert residents.choose(4.0, saves(1.5, "b")).on == GPU
    assert list(residents.residents) == ["b"]
    assert residents.evictions == 1


def test_credit_that_does_not_cover_a_loss_sends_it_to_a_processor() -> None:
    residents = landlord(size=1)
    residents.choose(0.0, saves(0.5, "a"))
    assert residents.choose(0.0, saves(0.0, "a", wait_s=5.0)).on == CPU


@each(
    "evict, left",
    [("lru", ["b", "c"]), ("lfu", ["a", "c"])],
)
def test_variants_let_go_who_was_used_longest_ago_or_least(evict: str, left: list[str]) -> None:
    residents = landlord(size=2, evict=evict)
    for now, name in enumerate(["a", "a", "a", "b", "c"]):
        assert residents.choose(float(now), saves(1.0, name)).on == GPU
        residents.ended(float(now), name, Compute.GPU, 1.0, 1.0)
    assert list(residents.residents) == left


def test_a_fixed_one_lets_in_by_what_residents_compute() -> None:
    residents = landlord(size=2, fixed=True)
    for name in "abc":
        assert residents.choose(0.0, saves(1.0, name)).on == (CPU if name == "c" else GPU)


def test_devices_that_are_too_slow_take_nobody_new() -> None:
    residents = landlord(size=1, load_threshold=0.0)
    why = residents.choose(0.0, saves(9.0, "a", wait_s=6.0)).why
    assert why == "devices are too slow for it now"


@given(st.lists(st.tuples(ASKED, st.booleans()), max_size=30), st.integers(1, 3))
def test_there_are_never_more_residents_than_places_and_their_load_is_what_has_not_ended(
    course: Sequence[tuple[Asked, bool]], size: int
) -> None:
    residents = landlord(0.3, size=size)
    load: dict[str, int] = {}
    for now, (told, ends) in enumerate(course):
        if residents.choose(float(now), told).on == GPU:
            load[told.function] = load.get(told.function, 0) + 1
        if ends and load.get(told.function):
            load[told.function] -= 1
            residents.ended(float(now), told.function, Compute.GPU, 1.0, 1.0)
        assert len(residents.residents) <= size
        assert {name: one.load for name, one in residents.residents.items() if one.load} == {
            name: count for name, count in load.items() if count
        }


class Half:
    def fresh(self, chance: object) -> object:
        return object()


def test_one_that_lacks_something_is_refused() -> None:
    with pytest.raises(BadConfig, match="dispatch policy Half: object lacks choose"):
        fresh(Half())  # type: ignore[arg-type]  # drawn, or wrong on purpose
