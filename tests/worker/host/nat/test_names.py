import struct

from attacca.model.egress import parse
from attacca.worker.host.nat import names
from attacca.worker.host.nat.names import AAAA, A, Query
from attacca.worker.host.nat.options import resolver
from attacca.worker.host.nat.resolver import judged
from tests.cases import each


def asking(name: str, kind: int = A, number: int = 7, flags: int = 0x0100) -> bytes:
    labels = b"".join(bytes([len(one)]) + one.encode() for one in name.split(".") if one)
    return struct.pack("!6H", number, flags, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", kind, 1)


def record(name: bytes, kind: int, ttl: int, value: bytes) -> bytes:
    return name + struct.pack("!HHIH", kind, 1, ttl, len(value)) + value


def answering(asked: bytes, *records: bytes) -> bytes:
    return asked[:2] + struct.pack("!5H", 0x8180, 1, len(records), 0, 0) + asked[12:] + b"".join(records)


HERE = b"\xc0\x0c"  # the name that was asked for
ASKED = Query(7, "api.example.com", A, 33)


def test_a_question() -> None:
    assert names.question(asking("API.example.com")) == ASKED
    assert names.question(asking("")) == Query(7, "", A, 17)


@each(
    "data",
    [
        b"",
        b"\0" * 11,
        asking("a.example")[:-1],
        asking("a.example")[:14],
        asking("a.example", flags=0x8100),
        asking("a.example", flags=0x2800),
        asking("a.example")[:4] + b"\0\2" + asking("a.example")[6:],
        asking("x" * 63 + "." + ".".join(["y" * 63] * 4)),
        struct.pack("!6H", 7, 0, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1",
        struct.pack("!6H", 7, 0, 1, 0, 0, 0) + b"\3a.b\0\0\1\0\1",
        struct.pack("!6H", 7, 0, 1, 0, 0, 0) + b"\2\xc3\xa4\0\0\1\0\1",
        struct.pack("!6H", 7, 0, 1, 0, 0, 0) + b"\1a\0\0\1\0\3",
    ],
)
def test_what_is_no_question(data: bytes) -> None:
    assert names.question(data) is None


def test_addresses_of_an_answer_also_behind_other_names() -> None:
    alias = record(HERE, 5, 60, b"\1b\xc0\x10")
    told = answering(
        asking("api.example.com"), alias, record(b"\1b\xc0\x10", A, 30, bytes([192, 0, 2, 7])),
        record(HERE, AAAA, 9, bytes(16)), record(HERE, A, 1, bytes([192, 0, 2, 8])),
    )  # fmt: skip
    assert names.is_answer(told, ASKED)
    assert names.addresses(told, ASKED) == [("192.0.2.7", 30), ("192.0.2.8", 1)]


@each(
    "records",
    [
        [b"\xc0"],
        [b"\x80\0" + bytes(14)],
        [HERE + bytes(5)],
        [HERE + struct.pack("!HHIH", A, 1, 1, 4) + b"\1\2\3"],
        [HERE + struct.pack("!HHIH", A, 1, 1, 5) + b"\1\2\3\4\5"],
        [b"\x3f" + b"x" * 10],
    ],
)
def test_what_cannot_be_read_names_nothing(records: list[bytes]) -> None:
    assert names.addresses(answering(asking("api.example.com"), *records), ASKED) == []


@each(
    "data, is_it",
    [
        (b"", False),
        (answering(asking("api.example.com")), True),
        (answering(asking("API.example.com")), True),
        (answering(asking("api.example.com", number=8)), False),
        (answering(asking("other.example.com")), False),
        (answering(asking("api.example.com", AAAA)), False),
        (asking("api.example.com"), False),
    ],
)
def test_an_answer_to_another_question_is_none(*, data: bytes, is_it: bool) -> None:
    assert names.is_answer(data, ASKED) is is_it


def test_an_answer_that_names_nothing() -> None:
    asked = asking("api.example.com") + b"behind it"
    told = names.empty(asked, ASKED, names.NO_SUCH_NAME)
    assert struct.unpack_from("!6H", told) == (7, 0x8183, 1, 0, 0, 0)
    assert names.is_answer(told, ASKED)
    assert len(told) == ASKED.end


LIST = tuple(map(parse, ("api.example.com:443", "10.0.0.0/8:5432", "*.example.com:80")))


@each(
    "allow, name, kind, verdict",
    [
        ((), "anything.example", A, ()),
        ((), "anything.example", 16, ()),
        ((), "anything.example", AAAA, names.NO_ERROR),
        (LIST, "api.example.com", A, (0, 2)),
        (LIST, "b.example.com", A, (2,)),
        (LIST, "b.example.com", 16, names.NO_ERROR),
        (LIST, "b.example.com", AAAA, names.NO_ERROR),
        (LIST, "example.com", A, names.NO_SUCH_NAME),
        (LIST, "evil.example", 16, names.NO_SUCH_NAME),
    ],
)
def test_whom_is_asked_for_what(allow: tuple[object, ...], name: str, kind: int, verdict: object) -> None:
    assert judged(allow, Query(1, name, kind, 0)) == verdict  # type: ignore[arg-type]  # as the table has it


def test_who_resolves_for_this_machine() -> None:
    text = "# nameserver 192.0.2.1\nsearch example\nnameserver 192.0.2.2\nnameserver\nnameserver fe80::1%eth0\n"
    assert names.of_resolv_conf(text) == ["192.0.2.2", "fe80::1%eth0"]


@each(
    "text, found",
    [("192.0.2.1", ("192.0.2.1", 53)), ("192.0.2.1:5353", ("192.0.2.1", 5353)), ("[2001:db8::1]", ("2001:db8::1", 53)),
     ("2001:db8::1", ("2001:db8::1", 53))],
)  # fmt: skip
def test_a_resolver(text: str, found: tuple[str, int]) -> None:
    assert resolver(text) == found
