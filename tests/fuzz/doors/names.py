"""Questions for names that a sandbox asks, what is answered to them, and entries of `allow`."""

import ipaddress
import json

from attacca.model.egress import NEVER, parse
from attacca.worker.host.nat import names
from attacca.worker.host.nat.rules import Rules, list_of
from tests.fuzz.door import Door
from tests.worker.host.nat.test_names import ASKED, HERE, answering, asking, record

RULES = Rules(3, ipaddress.IPv4Network("198.18.48.0/20"))
ONE = record(HERE, names.A, 60, bytes([192, 0, 2, 7]))


class Named(Door):
    name = "names"
    largest = 70_000
    words = (
        *(HERE, b"\xc0\xff", b"\x40", b"\0\1\0\1", b"\0\x1c\0\1", b"\xff\xff", b"\3api\7example\3com\0", ONE),
        *(b":443", b"*.", b"10.0.0.0/8", b"0.0.0.0/0", b"/udp", b"-", b"169.254.169.254", b"[::1]", b"}", b'"'),
    )

    def seeds(self) -> list[bytes]:
        return [
            asking("api.example.com"), asking("api.example.com", names.AAAA), asking(".".join(["x" * 60] * 4)),
            answering(asking("api.example.com"), ONE, record(HERE, 5, 60, b"\1b\xc0\x10"), ONE),
            answering(asking("api.example.com"), *[ONE] * 3000),
            b"api.example.com:443", b"*.example.com:80-90/udp", b"10.0.0.0/8:5432", b"0.0.0.0/0:1-65535",
        ]  # fmt: skip

    def traps(self) -> list[bytes]:
        head = asking("")[:12]
        return [
            b"", head, head + HERE, head + b"\x3f", head + b"\1." * 200, answering(asking("api.example.com"), b"\xc0"),
            answering(asking("api.example.com"), HERE * 500), b":" * 300, b"1" * 300 + b":1", b"\xff:1", b"0:0",
        ]  # fmt: skip

    def check(self, data: bytes) -> str:
        assert names.question(asking("api.example.com")) == ASKED
        if (asked := names.question(data)) is not None:
            assert names.HEAD.size < asked.end <= len(data)
            assert asked.name == asked.name.lower()
            assert len(asked.name) <= names.LONGEST
            told = names.empty(data, asked)
            assert names.is_answer(told, asked)
            assert names.addresses(told, asked) == []
            return "taken"
        if names.is_answer(data, ASKED):
            found = names.addresses(data, ASKED)
            assert len(found) <= names.RECORDS_MOST
            assert all(0 <= ttl < 1 << 32 and ipaddress.IPv4Address(one) for one, ttl in found)
            return "taken"
        return self._entry(data.decode("latin-1"))

    @staticmethod
    def _entry(text: str) -> str:
        try:
            reach = parse(text)
        except ValueError as error:
            return f"refused: {str(error)[:20]}"
        assert 1 <= reach.first <= reach.last <= 65_535
        assert bool(reach.name) != bool(reach.network)
        if reach.network:
            assert not any(ipaddress.IPv4Network(reach.network).subnet_of(one) for one in NEVER)
        said = json.dumps(RULES.listed([reach]))
        assert list_of([reach]) in said
        assert all(char not in f"{reach.name}{reach.network}" for char in "\"'{};\n ")
        return "taken"
