from attacca.policy.balancing.round_robin import RoundRobin
from tests.policy.balancing.fleet import Facts, made, picks

ONE = [("f", 1)]


def test_each_in_turn() -> None:
    assert picks(made(RoundRobin(), [Facts("b"), Facts("c"), Facts("a")]), 4 * ONE) == ["a", "b", "c", "a"]


def test_the_turn_goes_on_whoever_joins_or_leaves() -> None:
    a, b, c, d = (Facts(name) for name in "abcd")
    balancer = made(RoundRobin(), [a, b, d])
    assert picks(balancer, 2 * ONE) == ["a", "b"]
    balancer.among([a, c, d])
    assert picks(balancer, 3 * ONE) == ["c", "d", "a"]
