import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.errors import BadConfig
from attacca.policy.keepalive.infinite import Infinite
from attacca.policy.keepalive.oracle import Foresight, Oracle
from attacca.policy.keepalive.types import Idle


def idle(sandbox: str, function: str, since: float = 0.0, memory_mb: int = 128) -> Idle:
    return Idle(sandbox, function, memory_mb, since, uses=1, cold_s=1.0, gap_s=0.0)


def test_who_is_used_again_last_goes_first() -> None:
    keeper = Foresight({"soon": [5.0, 6.0], "late": [9.0], "never": [1.0]}).fresh()
    resting = [idle("s1", "soon"), idle("s2", "late"), idle("s3", "never")]
    assert [one.function for one in keeper.victims(2.0, resting)] == ["never", "late", "soon"]
    assert keeper.rested(2.0, resting[0]) is None
    expiry = keeper.rested(2.0, resting[2])
    assert expiry is not None
    assert expiry.at == 2.0


def test_of_two_of_one_function_the_older_is_needed_by_the_arrival_after_the_next() -> None:
    keeper = Foresight({"often": [3.0, 20.0], "once": [10.0]}).fresh()
    resting = [idle("old", "often", 0.0), idle("new", "often", 1.0), idle("other", "once")]
    assert [one.sandbox for one in keeper.victims(2.0, resting)] == ["old", "other", "new"]


def test_the_larger_of_two_that_wait_equally_long_goes_first() -> None:
    keeper = Foresight({"large": [5.0], "small": [5.0]}).fresh()
    resting = [idle("s1", "small"), idle("s2", "large", memory_mb=256)]
    assert [one.function for one in keeper.victims(2.0, resting)] == ["large", "small"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 5)), unique=True, max_size=6), st.randoms())
def test_the_order_of_asking_does_not_matter(resting: list[tuple[str, float]], chance: object) -> None:
    keeper = Foresight({"a": [6.0, 8.0], "b": [7.0]}).fresh()
    ordered = [idle(f"s{place}", function, since) for place, (function, since) in enumerate(resting)]
    mixed = list(ordered)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    assert keeper.victims(5.0, mixed) == keeper.victims(5.0, ordered)


def test_a_real_worker_cannot_have_one() -> None:
    with pytest.raises(BadConfig, match="future"):
        Oracle().fresh()


def test_infinite_lets_nothing_expire() -> None:
    assert Infinite().fresh().rested(0.0, idle("s1", "a")) is None
