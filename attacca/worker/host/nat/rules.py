"""What nftables is told, as its library's JSON has it (libnftables-json(5)): from what is allowed to a document. Pure.

Each worker has a table. A packet of a sandbox's goes through it thus:

early      is it from the address that is this cable's, and not for this machine?   else refused
forward    has its connection been let through?                                     then it passes
           is it for another sandbox?                                               then refused
           `ways` says whose rules hold for this cable: `open`, or those of a list
input      whatever reaches this machine all the same                               is refused
"""

import hashlib
import ipaddress
from collections.abc import Iterable, Sequence
from typing import Any

from attacca.model.egress import NEVER, PRIVATE, Reach

Command = dict[str, Any]
FAMILY = "inet"
PREFIX = "attacca_nat_"
GUARD = "attacca_guard"  # a table that all workers of a machine share
LINKS = "attacca"  # what the names of all cables begin with
OPEN, OUTWARD, REFUSE = "outside", "outward", "refuse"
HOMES = "machine"  # addresses of the machine's
FLOWS_MOST = 1024  # connections of one sandbox: a machine's table of them is everybody's
TOLD_PER_S = 200  # refusals that are told one by one; all are counted
LOG_GROUP = 4400  # and the number of the block
TTL_S = (60, 3600)  # how long an address may be reached for which a name stood, at least and at most


def table_of(block: int) -> str:
    return f"{PREFIX}{block}"


def links_of(block: int) -> str:
    """What the names of a worker's cables begin with."""
    return f"{LINKS}{block}-"


def list_of(allow: Sequence[Reach]) -> str:
    """What the chain and the set of a list are called: the same for all that have the same."""
    told = ",".join(f"{one.name}{one.network}:{one.first}-{one.last}/{one.protocol}" for one in allow)
    return "only_" + hashlib.sha256(told.encode()).hexdigest()[:16]


def names_of(chain: str, place: int) -> str:
    """The set of the entry at that place of the list."""
    return f"{chain}_{place}"


# expressions

IN, OUT = {"meta": {"key": "iifname"}}, {"meta": {"key": "oifname"}}
SOURCE = {"payload": {"protocol": "ip", "field": "saddr"}}
TARGET = {"payload": {"protocol": "ip", "field": "daddr"}}
KIND = {"meta": {"key": "l4proto"}}
STATE = {"ct": {"key": "state"}}
PORT = {"payload": {"protocol": "th", "field": "dport"}}
ACCEPT, DROP, TO_REFUSE = {"accept": None}, {"drop": None}, {"goto": {"target": REFUSE}}
KNOWN = ["established", "related"]


def _is(left: Any, right: Any, operator: str = "==") -> Any:
    return {"match": {"op": operator, "left": left, "right": right}}


def _prefix(network: ipaddress.IPv4Network | str) -> Any:
    address, _, length = str(network).partition("/")
    return {"prefix": {"addr": address, "len": int(length)}}


def _prefixes(networks: Iterable[ipaddress.IPv4Network]) -> Any:
    return {"set": [_prefix(one) for one in networks]}


class Rules:
    """Of the worker that has this block of addresses."""

    def __init__(self, block: int, network: ipaddress.IPv4Network) -> None:
        self.block, self.network = block, network
        self._links = links_of(block) + "*"

    def __repr__(self) -> str:
        return f"<Rules {self.block} of {self.network}>"

    def _add(self, kind: str, **told: Any) -> Command:
        return {"add": {kind: {"family": FAMILY, "table": table_of(self.block), **told}}}

    def _rule(self, chain: str, *expressions: Any) -> Command:
        return self._add("rule", chain=chain, expr=list(expressions))

    def _hook(self, name: str, hook: str, priority: int, kind: str = "filter") -> Command:
        return self._add("chain", name=name, type=kind, hook=hook, prio=priority, policy="accept")

    def begin(self) -> list[Command]:
        """The table, before there is a sandbox."""
        rule = self._rule
        return [
            {"add": {"table": {"family": FAMILY, "name": table_of(self.block)}}},
            self._add("counter", name="refused"),
            self._add("set", name="homes", type=["ifname", "ipv4_addr"]),
            self._add("map", name="ways", type="ifname", map="verdict"),
            *(self._add("chain", name=name) for name in (REFUSE, OUTWARD, OPEN, "mine")),
            self._hook("early", "prerouting", -300),
            self._hook("passing", "forward", 0),
            self._hook("inward", "input", 0),
            self._hook("answering", "output", 0),
            self._hook("leaving", "postrouting", 100, "nat"),
            rule("early", _is(IN, self._links), {"jump": {"target": "mine"}}),
            rule("mine", _is({"meta": {"key": "nfproto"}}, "ipv6"), DROP),
            rule("mine", _is({"concat": [IN, SOURCE]}, "@homes", "!="), DROP),
            rule("mine", _is({"fib": {"result": "type", "flags": ["daddr"]}}, "local"), TO_REFUSE),
            rule("passing", _is(IN, self._links), {"goto": {"target": OUTWARD}}),
            rule("passing", _is(OUT, self._links), _is(STATE, KNOWN, "in"), ACCEPT),
            rule("passing", _is(OUT, self._links), _is(IN, LINKS + "*"), TO_REFUSE),  # of another worker
            rule("passing", _is(OUT, self._links), DROP),
            rule("inward", _is(IN, self._links), TO_REFUSE),
            rule("answering", _is(OUT, self._links), _is(STATE, "new", "in"), DROP),
            rule("leaving", _is(SOURCE, _prefix(self.network)), _is(OUT, LINKS + "*", "!="), {"masquerade": None}),
            rule(OUTWARD, _is(STATE, KNOWN, "in"), ACCEPT),
            rule(OUTWARD, _is(OUT, LINKS + "*"), TO_REFUSE),
            rule(OUTWARD, _is(TARGET, _prefixes(NEVER)), TO_REFUSE),
            rule(OUTWARD, _is(STATE, "new", "in"),
                 {"meter": {"name": "flows", "key": IN, "stmt": {"ct count": {"val": FLOWS_MOST, "inv": True}}}},
                 TO_REFUSE),
            rule(OUTWARD, {"vmap": {"key": IN, "data": "@ways"}}),
            rule(OUTWARD, TO_REFUSE),
            rule(OPEN, _is(TARGET, _prefixes(PRIVATE)), TO_REFUSE),
            rule(OPEN, ACCEPT),
            rule(REFUSE, {"counter": "refused"}),
            rule(REFUSE, {"limit": {"rate": TOLD_PER_S, "per": "second"}}, {"log": {"group": LOG_GROUP + self.block}}),
            rule(REFUSE, _is(KIND, "tcp"), {"reject": {"type": "tcp reset"}}),
            rule(REFUSE, {"reject": {"type": "icmp", "expr": "admin-prohibited"}}),
        ]  # fmt: skip

    def beyond(self, homes: Sequence[ipaddress.IPv4Network]) -> list[Command]:
        """Besides, where the machine is not the one that these rules are kept on: its addresses, as they are now, are
        refused before anything else, also to connections that exist."""
        first = self._rule(OUTWARD, _is(TARGET, "@" + HOMES), TO_REFUSE)["add"]
        return [
            self._add("set", name=HOMES, type="ipv4_addr", flags=["interval"]),
            {"insert": first},
            *self.homes(homes),
        ]

    def homes(self, homes: Sequence[ipaddress.IPv4Network]) -> list[Command]:
        """They are others now."""
        own = {"family": FAMILY, "table": table_of(self.block), "name": HOMES}
        return [{"flush": {"set": own}}, *([self._element("add", HOMES, [*map(_prefix, homes)])] if homes else [])]

    def listed(self, allow: Sequence[Reach]) -> list[Command]:
        """The chain of a list: what is private only where a network within it is named. Each name has a set, of the
        addresses that it stands for."""
        chain = list_of(allow)
        named = [(names_of(chain, place), one) for place, one in enumerate(allow) if one.name]
        return [
            *(self._add("set", name=name, type="ipv4_addr", flags=["timeout"]) for name, _ in named),
            self._add("chain", name=chain),
            *(self._through(chain, one, _prefix(one.network)) for one in allow if one.is_private),
            self._rule(chain, _is(TARGET, _prefixes(PRIVATE)), TO_REFUSE),
            *(self._through(chain, one, _prefix(one.network)) for one in allow if one.network and not one.is_private),
            *(self._through(chain, one, f"@{name}") for name, one in named),
            self._rule(chain, TO_REFUSE),
        ]

    def _through(self, chain: str, one: Reach, target: Any) -> Command:
        port: Any = one.first if one.first == one.last else {"range": [one.first, one.last]}
        wanted = {"payload": {"protocol": one.protocol, "field": "dport"}}
        return self._rule(chain, _is(TARGET, target), _is(wanted, port), ACCEPT)

    def unlisted(self, allow: Sequence[Reach]) -> list[Command]:
        """Its last sandbox is gone."""
        own, chain = {"family": FAMILY, "table": table_of(self.block)}, list_of(allow)
        sets = [names_of(chain, place) for place, one in enumerate(allow) if one.name]
        return [
            {"delete": {"chain": {**own, "name": chain}}},
            *({"delete": {"set": {**own, "name": name}}} for name in sets),
        ]

    def _element(self, what: str, name: str, elements: list[Any]) -> Command:
        told = {"family": FAMILY, "table": table_of(self.block), "name": name, "elem": elements}
        return {what: {"element": told}}

    def plugged(self, link: str, home: ipaddress.IPv4Address) -> list[Command]:
        """A cable that leads nowhere yet."""
        return [self._element("add", "homes", [{"concat": [link, str(home)]}])]

    def led(self, link: str, chain: str) -> list[Command]:
        """From now on these rules hold for that cable."""
        return [self._element("add", "ways", [[link, {"goto": {"target": chain}}]])]

    def unled(self, link: str, chain: str) -> list[Command]:
        return [self._element("delete", "ways", [[link, {"goto": {"target": chain}}]])]

    def unplugged(self, link: str, home: ipaddress.IPv4Address) -> list[Command]:
        return [self._element("delete", "homes", [{"concat": [link, str(home)]}])]

    def resolved(self, chain: str, places: Iterable[int], found: Sequence[tuple[str, int]]) -> list[Command]:
        """A name that the entries at these places mean stands for these addresses, each for so many seconds. What is
        there already is there for longer: the kernel takes a new time only with a new element."""
        bare = [address for address, _ in found]
        timed = [{"elem": {"val": address, "timeout": min(max(ttl, TTL_S[0]), TTL_S[1])}} for address, ttl in found]
        return [
            self._element(what, names_of(chain, place), elements)
            for place in places
            for what, elements in (("add", bare), ("delete", bare), ("add", timed))
        ]

    def ended(self) -> list[Command]:
        return [removal(table_of(self.block))]


def removal(table: str) -> Command:
    return {"delete": {"table": {"family": FAMILY, "name": table}}}


def guard(links: Sequence[str]) -> list[Command]:
    """For a machine that passed nothing on before: what comes by the links that it had then is still passed on to
    nobody, unless it was sent on by somebody's rules (`dnat`)."""
    ours = {"family": FAMILY, "table": GUARD, "chain": "passing"}
    hook = {"type": "filter", "hook": "forward", "prio": 10, "policy": "accept"}
    theirs = _is(IN, {"set": sorted(links)})
    return [
        {"add": {"table": {"family": FAMILY, "name": GUARD}}},
        {"add": {"chain": {"family": FAMILY, "table": GUARD, "name": "passing", **hook}}},
        {"add": {"rule": {**ours, "expr": [theirs, _is({"ct": {"key": "status"}}, "dnat", "in"), ACCEPT]}}},
        {"add": {"rule": {**ours, "expr": [theirs, _is(STATE, "new", "in"), DROP]}}},
    ]
