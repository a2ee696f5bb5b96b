"""The faults of the original, one by one, and what else counters do."""

from hypothesis import given
from hypothesis import strategies as st

from attacca.worker.core.energy.counters import Sum, Zone, counted, more_uj

RANGE_UJ = 262_143_328_850  # of a counter of 32 bits, in units of 1/2^14 J

PACKAGE = Zone("intel-rapl:0", "package-0", RANGE_UJ)
OTHER = Zone("intel-rapl:1", "package-1", RANGE_UJ)
CORE = Zone("intel-rapl:0:0", "core", RANGE_UJ)
MEMORY = Zone("intel-rapl:0:1", "dram", RANGE_UJ)
BOARD = Zone("intel-rapl:2", "psys", RANGE_UJ)
AGAIN = Zone("intel-rapl-mmio:0", "package-0", RANGE_UJ)


def test_each_package_counts_once_with_its_memory_and_without_what_lies_within_it() -> None:
    assert counted([BOARD, CORE, AGAIN, MEMORY, OTHER, PACKAGE]) == [PACKAGE, MEMORY, OTHER]


def test_of_two_drivers_the_one_with_memory_is_taken() -> None:
    assert counted([AGAIN, PACKAGE, MEMORY]) == [PACKAGE, MEMORY]


def test_the_board_is_all_there_is_where_no_package_is_told_of() -> None:
    assert counted([BOARD]) == [BOARD]
    assert counted([CORE]) == []


@given(st.permutations([BOARD, CORE, AGAIN, MEMORY, OTHER, PACKAGE]))
def test_their_order_does_not_matter(zones: list[Zone]) -> None:
    assert counted(zones) == counted([BOARD, CORE, AGAIN, MEMORY, OTHER, PACKAGE])


def test_dies_of_a_package_count_each() -> None:
    dies = [Zone("intel-rapl:0", "package-0-die-0", 9), Zone("intel-rapl:1", "package-0-die-1", 9)]
    assert counted(dies) == dies


def test_a_counter_that_has_gone_around_goes_on() -> None:
    assert more_uj(RANGE_UJ - 1_000_000, 2_000_000, RANGE_UJ, 1.0) == 3_000_000, "the original had 0 here"


def test_one_that_was_set_back_has_lost_what_it_had() -> None:
    assert more_uj(100_000_000_000, 5, RANGE_UJ, 1.0) == 0, "162 kJ in a second is no machine's"
    assert more_uj(100, 50, 0, 1.0) == 0, "nobody knows where it begins anew"


def test_one_that_leaps_has_not_counted() -> None:
    assert more_uj(0, 200_000_000_000, RANGE_UJ, 1.0) == 0


def test_what_is_summed_are_microjoules() -> None:
    one = Sum()
    one.take(0.0, {PACKAGE: 5_000_000, OTHER: 7})
    one.take(1.0, {PACKAGE: 15_000_001, OTHER: 7})
    assert one.total_uj == {"intel-rapl:0": 10_000_001, "intel-rapl:1": 0}
    assert one.joules == 10.000001
    assert repr(one) == "<Sum of 2 counters, 10 J>"


def test_one_that_was_silent_is_compared_with_what_it_last_said() -> None:
    one = Sum()
    one.take(0.0, {PACKAGE: 0, OTHER: 0})
    one.take(1.0, {OTHER: 1_000_000})
    one.take(2.0, {PACKAGE: 4_000_000, OTHER: 2_000_000})
    assert one.joules == 6.0


@given(st.lists(st.integers(0, 4_000), max_size=40))
def test_the_sum_is_what_was_spent_however_often_the_counter_goes_around(spent: list[int]) -> None:
    counter = Sum()
    small = PACKAGE._replace(range_uj=10_000)
    value = 0
    counter.take(0.0, {small: value})
    for number, more in enumerate(spent):
        value = (value + more) % small.range_uj
        counter.take(number + 1.0, {small: value})
    assert counter.total_uj["intel-rapl:0"] == sum(spent)
