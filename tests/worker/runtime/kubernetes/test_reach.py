"""Network policies as a cluster's plugin reads them: what selects a pod adds up, and what nothing selects is free."""

import ipaddress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from attacca.model import egress
from attacca.model.function import Network, Revision
from attacca.worker.runtime.kubernetes import reach
from tests.worker.runtime.kubernetes.test_manifests import OWNER, made, revision

CALLERS = reach.callers(["10.9.0.0/16"], "", "")


def policies(told: Revision) -> list[dict[str, Any]]:
    """All that there are where one pod of that function is."""
    own = [reach.allowed("p", OWNER, told)] if told.settings.allow else []
    return [*reach.policies(OWNER, CALLERS), *own]


def passes(told: Revision, way: str, address: str, port: int, protocol: str = "TCP") -> bool:
    """`way`: Egress or Ingress."""
    labels = made(told)["metadata"]["labels"]
    chosen = [
        one["spec"]
        for one in policies(told)
        if way in one["spec"]["policyTypes"] and one["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    ]
    rules = [rule for spec in chosen for rule in spec[way.lower()]]
    return not chosen or any(_meets(rule, address, port, protocol) for rule in rules)


def _meets(rule: dict[str, Any], address: str, port: int, protocol: str) -> bool:
    ports = rule.get("ports", [{"protocol": protocol, "port": port}])
    peers = rule.get("to", rule.get("from", [{"ipBlock": {"cidr": "0.0.0.0/0"}}]))
    return any(_holds(peer["ipBlock"], address) for peer in peers) and any(
        one["protocol"] == protocol and one["port"] <= port <= one.get("endPort", one["port"]) for one in ports
    )


def _holds(block: dict[str, Any], address: str) -> bool:
    one = ipaddress.ip_address(address)
    within, *but = (ipaddress.ip_network(net) for net in (block["cidr"], *block.get("except", ())))
    assert all(net.version == within.version and net.subnet_of(within) for net in but), "a server would refuse it"  # type: ignore[arg-type]  # they are of one version
    return one in within and not any(one in net for net in but)


OCTETS = st.sampled_from((0, 1, 9, 10, 100, 127, 169, 172, 192, 198, 203, 224, 255))
ADDRESSES = st.tuples(OCTETS, st.sampled_from((0, 16, 64, 168, 254)), OCTETS, OCTETS).map(
    lambda parts: ".".join(map(str, parts))
)


@given(ADDRESSES, st.sampled_from((1, 53, 443, 8080)))
def test_what_leaves_is_what_leaves_other_sandboxes(address: str, port: int) -> None:
    one = ipaddress.IPv4Address(address)
    is_public = not any(one in net for net in (*egress.NEVER, *egress.PRIVATE))
    assert passes(revision(network=Network.HOST), "Egress", address, port)
    assert not passes(revision(network=Network.NONE), "Egress", address, port)
    assert passes(revision(network=Network.NAT), "Egress", address, port) == (is_public or port == 53)


@given(ADDRESSES, st.sampled_from((1, 53, 443, 444)), st.sampled_from(("TCP", "UDP")))
def test_what_a_function_lists_leaves_and_nothing_else(address: str, port: int, protocol: str) -> None:
    allow = ("0.0.0.0/0:443", "10.0.0.0/8:1-53/udp", "192.168.9.0/24:444")
    told, one = revision(network=Network.NAT, allow=allow), ipaddress.IPv4Address(address)
    is_public = not any(one in net for net in (*egress.NEVER, *egress.PRIVATE))
    expected = (
        (is_public and port == 443 and protocol == "TCP")
        or (one in ipaddress.IPv4Network("10.0.0.0/8") and port <= 53 and protocol == "UDP")
        or (one in ipaddress.IPv4Network("192.168.9.0/24") and (port, protocol) == (444, "TCP"))
    )
    assert passes(told, "Egress", address, port, protocol) == expected


@given(ADDRESSES, st.sampled_from((80, 8080)), st.sampled_from(list(Network)))
def test_a_pod_is_asked_by_its_callers_alone(address: str, port: int, network: Network) -> None:
    is_caller = ipaddress.IPv4Address(address) in ipaddress.IPv4Network("10.9.0.0/16")
    assert passes(revision(network=network), "Ingress", address, port) == (is_caller and port == 8080)


def test_what_pods_may_reach() -> None:
    nothing, outside = reach.policies(OWNER, [])
    assert nothing["spec"]["egress"] == []
    public, names = outside["spec"]["egress"]
    assert "10.0.0.0/8" in public["to"][0]["ipBlock"]["except"]
    assert "169.254.0.0/16" in public["to"][0]["ipBlock"]["except"]
    assert {one["port"] for one in names["ports"]} == {53}
    assert outside["spec"]["podSelector"] == {"matchLabels": {"attacca/worker": "w1", "attacca/network": "nat"}}


def test_one_that_says_what_it_may_reach_has_a_policy_of_its_own() -> None:
    allow = ("192.0.2.0/24:443-445", "10.0.0.0/7:53/udp", "10.1.0.0/16:1")
    told = revision(network=Network.NAT, allow=allow)
    policy, pod = reach.allowed("p", OWNER, told), made(told)
    assert policy["metadata"] == pod["metadata"]
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert not any(
        one["spec"]["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
        for one in reach.policies(OWNER, [])
    ), "policies of a pod add up"
    assert policy["spec"]["egress"] == [
        {"to": [{"ipBlock": {"cidr": cidr, **but}}], "ports": [{"protocol": protocol, "port": first, "endPort": last}]}
        for cidr, but, protocol, first, last in (
            ("192.0.2.0/24", {}, "TCP", 443, 445),
            ("10.0.0.0/7", {"except": ["10.0.0.0/8"]}, "UDP", 53, 53),
            ("10.1.0.0/16", {}, "TCP", 1, 1),
        )
    ]


def test_who_may_ask_pods() -> None:
    assert reach.callers(["10.1.0.0/16"], "home", "10.2.0.1") == [{"ipBlock": {"cidr": "10.1.0.0/16"}}]
    assert reach.callers(None, "", "127.0.0.1") == reach.callers(None, "", "::1") == reach.callers(None, "", "") == []
    assert reach.callers(None, "", "fd00::1") == [{"ipBlock": {"cidr": "fd00::1/128"}}]
    pods, address = reach.callers(None, "home", "10.2.0.1")
    assert address == {"ipBlock": {"cidr": "10.2.0.1/32"}}
    assert pods["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": "home"}}
    assert not pods["podSelector"]["matchLabels"].items() <= made(revision())["metadata"]["labels"].items()
    *_, coming = reach.policies(OWNER, [pods, address])
    assert coming["spec"] == {
        "podSelector": {"matchLabels": {"app.kubernetes.io/managed-by": "attacca", "attacca/worker": "w1"}},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [pods, address], "ports": [{"protocol": "TCP", "port": 8080}]}],
    }
