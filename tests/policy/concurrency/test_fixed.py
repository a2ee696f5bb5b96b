from attacca.policy.concurrency.fixed import Fixed
from attacca.policy.concurrency.types import Load

BUSY = Load(running=9, queued=9, limit=4, cores=2, load_per_core=9.0)


def test_it_is_the_cores_or_what_was_asked_for() -> None:
    assert (Fixed().first(cores=2), Fixed(count=5).first(cores=2)) == (2, 5)


def test_nothing_changes_it_and_nobody_skips_it() -> None:
    policy = Fixed(count=4)
    assert policy.every_s is None
    assert policy.adjust(0.0, BUSY) == (4, "fixed")
    assert not policy.can_skip(0.0001)
