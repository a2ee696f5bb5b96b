"""What process runtimes of one worker share is opened once, and closed by the last of them."""

from attacca.worker.runtime.process.common import Common
from attacca.worker.runtime.process.options import ProcessOptions


def test_the_last_closes_it() -> None:
    common = Common(ProcessOptions(isolation="none", use_cgroups=False), 512)
    common.open()
    common.open()
    assert repr(common) == "<Common to 2, <Users 0 taken, 0 free>>"
    common.close()
    common.close()
    assert common.groups is None
    assert repr(common) == "<Common to 0, <Users 0 taken, 0 free>>"
