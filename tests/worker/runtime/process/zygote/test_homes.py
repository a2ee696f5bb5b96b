import pytest

from attacca.worker.runtime.process.zygote.homes import HeldHomes


def test_they_say_how_many_they_are() -> None:
    homes = HeldHomes(-1)
    assert repr(homes) == "<HeldHomes 0, in 0>"
    homes.enter(0)
    homes.forget(3)
    homes.wait()
    homes.hold(0, -1)
    assert repr(homes) == "<HeldHomes 0, in 0>"
    with pytest.raises(OSError, match="Bad file"):
        homes.enter(3)
