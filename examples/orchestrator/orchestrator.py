"""Balances a domain from outside: python orchestrator.py [URL [SECONDS]]

Every few seconds it looks how long handlers have run since the time before. When the busiest node has much more to do
than the idlest, the component that evens them out best moves from one to the other.
"""

import json
import sys
import time
import urllib.request
from typing import Any

WORTH = 0.1  # of a second of every second: a smaller difference is let be


def ask(url: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def instances(state: Any) -> Any:
    return [(one, each) for one in state["components"] for each in one["instances"]]


def shares(before: Any, now: Any, seconds: float) -> dict[str, dict[str, float]]:
    """By node, of its event functions: for how much of every second each was at work."""
    had = {each["name"]: each["handled_s"] for _, each in instances(before)}
    found: dict[str, dict[str, float]] = {node["name"]: {} for node in now["nodes"] if not node["is_cordoned"]}
    for one, each in instances(now):
        if each["node"] in found and not one["resource"]:
            found[each["node"]][one["name"]] = (each["handled_s"] - had.get(each["name"], 0.0)) / seconds
    return found


def moves(found: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    """As intents, the one that evens the nodes out best first; none where they are even enough."""
    load = {node: sum(parts.values()) for node, parts in found.items()}
    busiest, idlest = max(load, key=lambda node: load[node]), min(load, key=lambda node: load[node])
    gap = load[busiest] - load[idlest]
    better = {name: abs(gap - 2 * share) for name, share in found[busiest].items() if 0 < share < gap > WORTH}
    best = sorted(better, key=lambda name: better[name])
    return [{"intent": "migrate", "component": name, "to": [idlest]} for name in best]


def main(url: str = "http://127.0.0.1:8080", every_s: str = "5") -> None:
    with urllib.request.urlopen(f"{url}/api/info") as answer:  # from control, where a gateway sends who asks
        url = answer.url.removesuffix("/api/info")
    before, at = ask(f"{url}/api/domain/state"), time.monotonic()
    while True:
        time.sleep(float(every_s))
        now, seconds = ask(f"{url}/api/domain/state"), time.monotonic() - at
        for intent in moves(shares(before, now, seconds)):
            asked = {"intents": [intent], "dry_run": True}  # what would you do?
            if ask(f"{url}/api/domain/intents", asked)[0]["outcome"] == "do":
                verdict = ask(f"{url}/api/domain/intents", {"intents": [intent]})[0]
                print(f"{verdict['outcome']}: {verdict['why']}", flush=True)
                now = ask(f"{url}/api/domain/state")
                break
        before, at = now, time.monotonic()


if __name__ == "__main__":
    main(*sys.argv[1:])
