"""The question to the kernel and what is believed of its answer, byte by byte."""

import socket
import struct

from hypothesis import given
from hypothesis import strategies as st

from attacca.gateway.http.peer_uid import ANY_COOKIE, ENDS, ESTABLISHED, HEADER, OWNER, TOLD, owner, packed, uid
from tests.cases import each

CLIENT, SERVER = ("127.0.0.1", 50_000), ("127.0.0.1", 8080)
MAPPED = bytes(10) + b"\xff\xff"
BY_FAMILY, ERROR = 20, 2
LISTENING, TIME_WAIT, CLOSE_WAIT = 10, 6, 8


def ends(theirs: tuple[str, int] = CLIENT, ours: tuple[str, int] = SERVER) -> bytes:
    found = packed(theirs, ours)
    assert found is not None
    return found[1]


def told(
    asked: bytes,
    *,
    kind: int = BY_FAMILY,
    family: int = socket.AF_INET,
    state: int = ESTABLISHED,
    user: int = 1000,
    inode: int = 7,
) -> bytes:
    body = TOLD.pack(family, state, 0, 0) + asked + ANY_COOKIE + OWNER.pack(0, 0, 0, user, inode)
    return HEADER.pack(HEADER.size + len(body), kind, 0, 1, 0) + body


def test_both_ends_are_packed_as_the_kernel_has_them() -> None:
    address = bytes((127, 0, 0, 1)) + bytes(12)
    assert packed(CLIENT, SERVER) == (socket.AF_INET, struct.pack("!HH", 50_000, 8080) + address + address)
    v6 = bytes(15) + b"\1"
    assert packed(("::1", 1), ("::1", 2)) == (socket.AF_INET6, struct.pack("!HH", 1, 2) + v6 + v6)


def test_ipv4_is_asked_for_as_such_whatever_a_socket_calls_it() -> None:
    assert packed(("::ffff:127.0.0.1", 50_000), ("::ffff:127.0.0.1", 8080)) == packed(CLIENT, SERVER)
    assert packed(("::ffff:127.0.0.1", 50_000), SERVER) == packed(CLIENT, SERVER)


@each(
    "theirs, ours",
    [
        (("not an address", 1), SERVER),
        (("", 1), SERVER),
        (("::1", 1), SERVER),
        (("127.0.0.1", -1), SERVER),
        (("127.0.0.1", 65_536), SERVER),
        (("127.0.0.1\n", 1), SERVER),
    ],
)
def test_what_is_no_connection_is_not_asked_for(theirs: tuple[str, int], ours: tuple[str, int]) -> None:
    assert packed(theirs, ours) is None
    assert uid(theirs, ours) is None


def test_the_owner_is_who_the_kernel_says() -> None:
    for user in (0, 1000, 4_294_967_294):
        assert owner(told(ends(), user=user), ends()) == user


def test_an_ipv6_socket_that_speaks_ipv4_is_told_in_ipv6() -> None:
    one = MAPPED + bytes((127, 0, 0, 1))
    as_v6 = ENDS.pack(CLIENT[1], SERVER[1], one, one)
    assert owner(told(as_v6, family=socket.AF_INET6), ends()) == 1000
    assert owner(told(as_v6, family=socket.AF_INET), ends()) is None


def test_another_socket_proves_nothing() -> None:
    others = [
        ends(SERVER, CLIENT), ends(("127.0.0.1", 50_001)), ends(CLIENT, ("127.0.0.1", 8081)),
        ends(("127.0.0.2", 50_000)), ends(CLIENT, ("127.0.0.2", 8080)), bytes(ENDS.size),
    ]  # fmt: skip
    for other in others:
        for family in (socket.AF_INET, socket.AF_INET6):
            assert owner(told(other, family=family), ends()) is None


@each("state", [state for state in range(14) if state != ESTABLISHED])
def test_a_socket_in_any_other_state_proves_nothing(state: int) -> None:
    assert owner(told(ends(), state=state, user=0), ends()) is None


def test_a_socket_that_no_process_holds_proves_nothing() -> None:
    assert owner(told(ends(), user=0, inode=0), ends()) is None


def test_an_error_proves_nothing() -> None:
    assert owner(told(ends(), kind=ERROR), ends()) is None
    assert owner(HEADER.pack(HEADER.size + 4, ERROR, 0, 1, 0) + struct.pack("=i", -2), ends()) is None


@given(st.integers(0, len(told(ends())) - 1))
def test_an_answer_cut_short_proves_nothing(size: int) -> None:
    assert owner(told(ends())[:size], ends()) is None


@given(st.binary(max_size=200))
def test_nothing_that_is_told_raises(raw: bytes) -> None:
    owner(raw, ends())
