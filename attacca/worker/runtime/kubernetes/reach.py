"""What pods may reach and who may reach them, as network policies. Pure. They hold where a cluster's network plugin
enforces them.
"""

import ipaddress
from collections.abc import Sequence
from typing import Any

from attacca.model import egress
from attacca.model.function import Network, Revision
from attacca.worker.runtime.kubernetes.manifests import MANAGED, NETWORK, POD, PORT, WORKER, Owner, owned

# Out of reach where `network = "nat"`, as for other sandboxes.
NOT_PUBLIC_4 = (*egress.NEVER, *egress.PRIVATE)
NOT_PUBLIC_6 = ["::1/128", "fc00::/7", "fe80::/10"]
OURS = {"app.kubernetes.io/name": "attacca"}  # the pods of workers themselves
OF_NAMESPACE = "kubernetes.io/metadata.name"  # every namespace has that label
Peers = list[dict[str, Any]]


def policies(owner: Owner, peers: Peers) -> list[dict[str, Any]]:
    """Of a worker whose pods `peers` may ask, and nobody else; where there are none, who may is not said."""
    leaving = [_leaving(owner, network) for network in (Network.NONE, Network.NAT)]
    return [*leaving, coming(owner, peers)] if peers else leaving


def _leaving(owner: Owner, network: Network) -> dict[str, Any]:
    """Of pods with another network nothing is said."""
    reached: list[dict[str, Any]] = []
    if network is Network.NAT:
        blocks = (("0.0.0.0/0", sorted(map(str, NOT_PUBLIC_4))), ("::/0", NOT_PUBLIC_6))
        names = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
        reached = [
            {"to": [{"ipBlock": {"cidr": all_of, "except": but}} for all_of, but in blocks]},
            {"ports": names},
        ]
    chosen = {WORKER: owner.identity, NETWORK: network.value}
    spec = {"podSelector": {"matchLabels": chosen}, "policyTypes": ["Egress"], "egress": reached}
    return _policy(_meta(owner, network.value), spec)


def coming(owner: Owner, peers: Peers, number: int = 0) -> dict[str, Any]:
    """`number`: policies add up, and another lets in who was not known before."""
    let_in = [{"from": peers, "ports": [{"protocol": "TCP", "port": PORT}]}]
    chosen = {**MANAGED, WORKER: owner.identity}
    return _policy(
        _meta(owner, f"callers-{number}" if number else "callers"),
        {"podSelector": {"matchLabels": chosen}, "policyTypes": ["Ingress"], "ingress": let_in},
    )


def allowed(name: str, owner: Owner, revision: Revision) -> dict[str, Any]:
    """Of one pod whose function says what it may reach; each entry is a network."""
    reached = []
    for entry in revision.settings.allow:
        to = egress.parse(entry)
        cidr = egress.Net(to.network)
        but = sorted(str(one) for one in NOT_PUBLIC_4 if one != cidr and one.subnet_of(cidr))
        block = {"cidr": str(cidr), **({"except": but} if but else {})}
        port = {"protocol": to.protocol.upper(), "port": to.first, "endPort": to.last}
        reached.append({"to": [{"ipBlock": block}], "ports": [port]})
    chosen = {WORKER: owner.identity, POD: name}
    spec = {"podSelector": {"matchLabels": chosen}, "policyTypes": ["Egress"], "egress": reached}
    return _policy(owned(name, owner, revision), spec)


def callers(said: Sequence[str] | None, home: str, address: str) -> Peers:
    """Who may ask pods: what the settings say, else the worker itself: where it is in a pod, pods that are called so in
    the namespace `home`, and the `address` from which it asks the API server, unless that is of its machine alone."""
    if said is not None:
        return [{"ipBlock": {"cidr": block}} for block in said]
    found: Peers = []
    if home:
        there = {"matchLabels": {OF_NAMESPACE: home}}
        found.append({"namespaceSelector": there, "podSelector": {"matchLabels": OURS}})
    if address and not (own := ipaddress.ip_address(address.partition("%")[0])).is_loopback:
        found.append({"ipBlock": {"cidr": str(ipaddress.ip_network(own))}})
    return found


def _meta(owner: Owner, what: str) -> dict[str, Any]:
    return {"name": f"{owner.name}-{what}", "labels": owner.labels, "ownerReferences": [owner.reference]}


def _policy(meta: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec}
