from attacca.policy.concurrency.bypass import Bypass
from attacca.policy.concurrency.types import Load


def test_only_known_short_functions_may_skip() -> None:
    policy = Bypass(below_s=0.01)
    assert [policy.can_skip(exec_s) for exec_s in (0.0, 0.001, 0.009, 0.01, 1.0)] == [False, True, True, False, False]


def test_the_limit_itself_is_fixed() -> None:
    policy = Bypass(count=3)
    load = Load(running=9, queued=9, limit=3, cores=2, load_per_core=9.0)
    assert (policy.every_s, policy.first(2), policy.adjust(0.0, load).most, Bypass().first(2)) == (None, 3, 3, 2)
