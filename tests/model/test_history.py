from hypothesis import given
from hypothesis import strategies as st

from attacca.model.history import BUCKETS, FunctionNow, Step, bound_ms, bucket, merged, percentile, summed, together

TOOK = st.dictionaries(st.integers(0, BUCKETS - 1), st.integers(1, 40)).map(lambda one: tuple(sorted(one.items())))


def test_what_is_told_of_a_duration_is_right_to_a_tenth() -> None:
    for ms in (0.06, 0.3, 1.0, 7.7, 123.0, 45_000.0):
        assert abs(bound_ms(bucket(ms)) / ms - 1) < 0.1
    assert (bucket(0.0), bucket(1e9)) == (0, BUCKETS - 1)


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_who_took_longer_is_in_no_lower_bucket(a: float, b: float) -> None:
    assert bucket(min(a, b)) <= bucket(max(a, b))


@given(TOOK, TOOK)
def test_a_higher_share_is_no_lower_and_those_of_two_lie_between_theirs(
    a: tuple[tuple[int, int], ...], b: tuple[tuple[int, int], ...]
) -> None:
    both = together((a, b))
    for share in (0.5, 0.99):
        mine, theirs, ours = (percentile(one, share) for one in (a, b, both))
        assert (ours is None) == (not a and not b)
        if mine is not None and theirs is not None and ours is not None:
            assert min(mine, theirs) <= ours <= max(mine, theirs)
    if both:
        assert (percentile(both, 0.5) or 0) <= (percentile(both, 0.99) or 0)


def test_steps_of_several_gateways_are_one_where_they_end_together() -> None:
    here = [Step(at=10.0, warm=2, running=1, took=((3, 2),)), Step(at=20.0, cold=1)]
    there = [Step(at=13.0, warm=5, failed=1, running=2, took=((3, 1), (4, 4)))]
    first, second = merged((here, there), 10.0)
    assert first == Step(at=13.0, warm=7, failed=1, running=3, took=((3, 3), (4, 4)))
    assert second == here[1]
    assert (first.ended, merged((), 10.0)) == (7, [])


def test_steps_of_one_gateway_stay_apart_and_in_order() -> None:
    """Though its last is not over, or its clock was set back."""
    mine = [Step(at=7261.0, warm=1), Step(at=62.0, warm=2), Step(at=119.0, warm=3), Step(at=121.0, warm=4)]
    assert merged((mine,), 60.0) == mine


def test_functions_of_several_gateways_are_added_up_by_name() -> None:
    here = [FunctionNow(function="b", revision=1, running=1, ended=5, cold=1), FunctionNow(function="a", revision=1)]
    there = [FunctionNow(function="b", revision=2, waiting=3, ended=2, failed=1, took=((1, 2),))]
    assert summed((here, there)) == [
        FunctionNow(function="a", revision=1),
        FunctionNow(function="b", revision=2, running=1, waiting=3, ended=7, cold=1, failed=1, took=((1, 2),)),
    ]
