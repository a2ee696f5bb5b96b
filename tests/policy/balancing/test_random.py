from collections import Counter

from attacca.policy.balancing.random import Random
from tests.policy.balancing.fleet import Facts, made, picks


def test_each_is_as_likely() -> None:
    balancer = made(Random(), [Facts(name) for name in "abcd"])
    counts = Counter(picks(balancer, [("f", 1)] * 4000))
    assert sum((count - 1000) ** 2 / 1000 for count in counts.values()) < 16.3  # chi-square, 3 degrees, p = 0.001
    assert sorted(counts) == ["a", "b", "c", "d"]
