import pytest

from attacca.worker.runtime.process.zygote.networks import HeldNetworks, SpentNetworks, is_unused

EMPTY = (
    b"sockets: used 0\nTCP: inuse 0 orphan 0 tw 0 alloc 40 mem 89\nUDP: inuse 0 mem 0\nUDPLITE: inuse 0\n"
    b"RAW: inuse 0\nFRAG: inuse 0 memory 0\n"
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (EMPTY, True),
        (EMPTY.replace(b"orphan 0", b"orphan 3"), True),  # which are all of the machine's, as `alloc` is
        (EMPTY.replace(b"used 0", b"used 1"), False),
        (EMPTY.replace(b"used 0", b"used 10"), False),
        (EMPTY.replace(b"tw 0", b"tw 1"), False),
        (b"", False),
    ],
)
def test_a_network_is_used_again_where_no_socket_is_left_and_no_port(text: bytes, found: bool) -> None:  # noqa: FBT001 - one of the cases
    assert is_unused(text) is found


def test_they_say_how_many_they_are() -> None:
    assert repr(HeldNetworks(-1)) == "<HeldNetworks 0>"
    assert repr(SpentNetworks(-1)) == "<SpentNetworks 0>"
