import ipaddress
import json
from typing import Any

from attacca.model.egress import parse
from attacca.worker.host.nat import rules
from attacca.worker.host.nat.rules import Rules, list_of

ONE = ipaddress.IPv4Address("198.18.48.1")
LISTED = tuple(map(parse, ("0.0.0.0/0:443", "api.example.com:443", "10.0.0.0/8:5432", "*.example.org:80-90/udp")))


def of(block: int = 3) -> Rules:
    return Rules(block, ipaddress.IPv4Network("198.18.48.0/20"))


def chain(commands: list[rules.Command], name: str) -> list[str]:
    """Its rules in their order, each as a short text."""
    added = [one["add"]["rule"] for one in commands if "rule" in one["add"]]
    return [" ".join(map(short, rule["expr"])) for rule in added if rule["chain"] == name]


def short(expression: object) -> str:
    """`ip daddr == 10.0.0.0/8`"""
    match expression:
        case {"match": {"op": op, "left": left, "right": right}}:
            return f"{short(left)} {op} {short(right)}"
        case {"payload": {"protocol": protocol, "field": field}}:
            return f"{protocol} {field}"
        case {"meta": {"key": key}} | {"ct": {"key": key}}:
            return str(key)
        case {"prefix": {"addr": address, "len": length}}:
            return f"{address}/{length}"
        case {"range": [first, last]}:
            return f"{first}-{last}"
        case {"set": list() as members}:
            return "{" + ",".join(map(short, members)) + "}"
        case {"concat": parts}:
            return ".".join(map(short, parts))
        case _:
            return shorter(expression)


def shorter(expression: Any) -> str:
    match expression:
        case {"goto": {"target": target}}:
            return f"goto {target}"
        case {"accept": None} | {"drop": None} | {"masquerade": None}:
            return str(next(iter(expression)))
        case str() | int():
            return str(expression)
        case _:
            return json.dumps(expression)


def test_it_says_what_it_holds() -> None:
    assert repr(of()) == "<Rules 3 of 198.18.48.0/20>"


def test_what_comes_from_a_cable_is_from_its_address_and_not_for_this_machine() -> None:
    told = of().begin()
    assert chain(told, "early") == ['iifname == attacca3-* {"jump": {"target": "mine"}}']
    assert chain(told, "mine") == [
        "nfproto == ipv6 drop",
        "iifname.ip saddr != @homes drop",
        '{"fib": {"result": "type", "flags": ["daddr"]}} == local goto refuse',
    ]
    assert chain(told, "inward") == ["iifname == attacca3-* goto refuse"]


def test_what_passes_is_let_through_by_its_list_and_nobody_begins_from_outside() -> None:
    told = of().begin()
    assert chain(told, "passing") == [
        "iifname == attacca3-* goto outward",
        'oifname == attacca3-* state in ["established", "related"] accept',
        "oifname == attacca3-* iifname == attacca* goto refuse",
        "oifname == attacca3-* drop",
    ]
    outward = chain(told, "outward")
    assert outward[0] == 'state in ["established", "related"] accept'
    assert outward[1:3] == [
        "oifname == attacca* goto refuse",
        "ip daddr == {0.0.0.0/8,127.0.0.0/8,169.254.0.0/16,224.0.0.0/4,240.0.0.0/4} goto refuse",
    ]
    assert outward[-2:] == ['{"vmap": {"key": {"meta": {"key": "iifname"}}, "data": "@ways"}}', "goto refuse"]
    assert chain(told, "outside")[0].endswith("goto refuse")
    assert chain(told, "outside")[1:] == ["accept"]
    assert chain(told, "answering") == ["oifname == attacca3-* state in new drop"]
    assert chain(told, "leaving") == ["ip saddr == 198.18.48.0/20 oifname != attacca* masquerade"]


def test_a_list_opens_what_is_private_only_where_it_names_it() -> None:
    name = list_of(LISTED)
    private = "{10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,192.0.0.0/24,198.18.0.0/15}"
    assert chain(of().listed(LISTED), name) == [
        "ip daddr == 10.0.0.0/8 tcp dport == 5432 accept",
        f"ip daddr == {private} goto refuse",
        "ip daddr == 0.0.0.0/0 tcp dport == 443 accept",
        f"ip daddr == @{name}_1 tcp dport == 443 accept",
        f"ip daddr == @{name}_3 udp dport == 80-90 accept",
        "goto refuse",
    ]
    removed = of().unlisted(LISTED)
    assert [next(iter(one["delete"].values()))["name"] for one in removed] == [name, f"{name}_1", f"{name}_3"]


def test_lists_that_are_the_same_have_the_same_name() -> None:
    assert list_of(LISTED) == list_of(tuple(LISTED)) != list_of(LISTED[1:])
    assert len(rules.names_of(list_of(LISTED), 63)) < 32  # the kernel's most


def test_a_cable_leads_nowhere_until_it_is_told_where() -> None:
    plugged = of().plugged("attacca3-1", ONE)
    assert plugged[0]["add"]["element"]["elem"] == [{"concat": ["attacca3-1", "198.18.48.1"]}]
    led = of().led("attacca3-1", "outside")
    assert led[0]["add"]["element"]["elem"] == [["attacca3-1", {"goto": {"target": "outside"}}]]
    gone = [*of().unled("attacca3-1", "outside"), *of().unplugged("attacca3-1", ONE)]
    assert [one["delete"]["element"]["name"] for one in gone] == ["ways", "homes"]


def test_addresses_of_a_name_are_there_for_their_time_within_bounds() -> None:
    told = of().resolved("only_x", [1], [("192.0.2.7", 1), ("192.0.2.8", 300), ("192.0.2.9", 86_400)])
    assert [next(iter(one)) for one in told] == ["add", "delete", "add"]
    assert {one[next(iter(one))]["element"]["name"] for one in told} == {"only_x_1"}
    times = [one["elem"]["timeout"] for one in told[-1]["add"]["element"]["elem"]]
    assert times == [60, 300, 3600]


def test_two_workers_share_no_name() -> None:
    first, second = (json.dumps(of(block).begin()) for block in (3, 4))
    assert "attacca_nat_3" not in second
    assert "attacca3-" not in second
    assert "attacca_nat_4" not in first


def test_a_machine_that_passed_nothing_on_still_does_not() -> None:
    told = rules.guard(["lo", "eth0"])
    assert chain(told, "passing") == [
        "iifname == {eth0,lo} status in dnat accept",
        "iifname == {eth0,lo} state in new drop",
    ]


def test_beyond_a_gate_the_machines_addresses_are_refused_first() -> None:
    told = of().beyond([ipaddress.IPv4Network("127.0.0.0/8"), ipaddress.IPv4Network("192.0.2.7/32")])
    assert [next(iter(one)) for one in told] == ["add", "insert", "flush", "add"]
    assert chain([{"add": told[1]["insert"]}], "outward") == ["ip daddr == @machine goto refuse"]
    assert [short(one) for one in told[3]["add"]["element"]["elem"]] == ["127.0.0.0/8", "192.0.2.7/32"]
    assert [next(iter(one)) for one in of().homes([])] == ["flush"]
