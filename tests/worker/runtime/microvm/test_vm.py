import msgspec
import pytest

from attacca.worker.runtime.microvm import vm
from attacca.worker.runtime.microvm.vm import FunctionEnd


def test_how_a_function_has_ended_is_believed_only_as_far_as_it_can_be() -> None:
    assert vm.ended(b'{"status": 9, "was_oom": true}') == FunctionEnd(9, was_oom=True)
    for told in (
        b"",
        b"[]",
        b'{"status": -1, "was_oom": true}',
        b'{"status": 65536, "was_oom": true}',
        b'{"status": 9}',
    ):
        with pytest.raises(msgspec.MsgspecError):
            vm.ended(told)
