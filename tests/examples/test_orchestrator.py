"""What the orchestrator outside decides, from two pictures of a domain."""

from typing import Any

from examples.orchestrator.orchestrator import moves, shares


def state(*parts: tuple[str, str, float], cordoned: str = "") -> Any:
    components = [
        {
            "name": f"w.{name}",
            "resource": "file-log" if name == "log" else "",
            "instances": [{"name": f"w.{name}.1", "node": node, "handled_s": seconds}],
        }
        for name, node, seconds in parts
    ]
    return {
        "nodes": [{"name": name, "is_cordoned": name == cordoned} for name in ("n1", "n2")],
        "components": components,
    }


BEFORE = state(("a", "n1", 5.0), ("b", "n1", 1.0), ("log", "n1", 0.0), ("c", "n2", 0.0))
NOW = state(("a", "n1", 9.0), ("b", "n1", 2.0), ("d", "n1", 0.5), ("log", "n1", 8.0), ("c", "n2", 0.0))


def test_what_worked_since_is_counted() -> None:
    assert shares(BEFORE, NOW, 10.0) == {"n1": {"w.a": 0.4, "w.b": 0.1, "w.d": 0.05}, "n2": {"w.c": 0.0}}
    assert shares(BEFORE, state(("a", "n1", 9.0), cordoned="n1"), 10.0) == {"n2": {}}


def test_what_evens_the_nodes_out_best_goes_first() -> None:
    told = moves({"n1": {"w.a": 0.3, "w.b": 0.2, "w.d": 0.1}, "n2": {"w.c": 0.0}})
    assert [one["component"] for one in told] == ["w.a", "w.b", "w.d"]
    assert told[0] == {"intent": "migrate", "component": "w.a", "to": ["n2"]}


def test_what_would_not_help_stays() -> None:
    assert moves({"n1": {"w.a": 0.5}, "n2": {}}) == [], "the other would be as busy"
    assert moves({"n1": {"w.a": 0.05, "w.b": 0.04}, "n2": {}}) == [], "they are even enough"
    assert moves({"n1": {"w.a": 0.5}}) == []
