"""What a mirror is told, over time."""

import msgspec

from attacca.workflow.core.state import DomainState
from attacca.workflow.mirror.config import Shape
from attacca.workflow.mirror.reflection import Measured, Reflection
from attacca.workflow.mirror.writes import Drop, Score, Set, Write
from tests.workflow.mirror.test_keys import LOAD, NODE, PID, STATE, F


def keys(writes: list[Write]) -> list[str]:
    return [one.key for one in writes]


def test_at_first_all_of_it_and_then_what_differs() -> None:
    reflection = Reflection("", Shape.NEWEST)
    assert repr(reflection) == "<Reflection of nothing>"
    first = reflection.writes(STATE, [], 5.0, {})
    assert keys(first) == [
        "domain_info:domain_id", f"node:capabilities:{NODE}", "provider:n1-file-log", f"instance:{F}",
        f"dependency:{F}", "instance:20000000-0000-4000-8000-000000000000",
        *(f"{category}:last_update" for category in ("node:capabilities", "provider", "instance", "dependency")),
        f"node:health:{NODE}",
    ]  # fmt: skip
    assert repr(reflection) == "<Reflection 10 texts>"
    assert reflection.writes(STATE, [], 6.0, {}) == [], "nothing differs"
    busier = msgspec.structs.replace(LOAD, load_1m=5.0)
    load = msgspec.structs.replace(STATE, nodes=(msgspec.structs.replace(STATE.nodes[0], load=busier),))
    assert keys(reflection.writes(load, [], 7.0, {})) == [f"node:health:{NODE}"]
    fewer = msgspec.structs.replace(STATE, components=STATE.components[1:])
    assert reflection.writes(fewer, [], 8.0, {})[:4] == [
        Drop(f"instance:{F}"), Drop(f"dependency:{F}"), Set("instance:last_update", "8"),
        Set("dependency:last_update", "8"),
    ]  # fmt: skip


def test_a_node_that_goes_takes_its_health_along() -> None:
    reflection = Reflection("", Shape.NEWEST)
    reflection.writes(STATE, [], 5.0, {})
    gone = reflection.writes(DomainState(domain="home"), [], 6.0, {})
    assert Drop(f"node:health:{NODE}") in gone
    assert Drop(f"node:capabilities:{NODE}") in gone


def test_what_is_lost_is_written_anew_and_what_was_ours_goes() -> None:
    reflection = Reflection("home:", Shape.DOCUMENT)
    whole = reflection.writes(STATE, [], 5.0, {})
    assert all(key.startswith("home:") for key in keys(whole))
    reflection.lose()
    assert reflection.is_lost
    owned = {"home:instance:old": "string", f"home:instance:{F}": "string", f"home:node:health:{NODE}": "zset"}
    assert reflection.writes(STATE, [], 6.0, owned) == [
        Drop("home:instance:old"), Drop(f"home:node:health:{NODE}"), *whole,
    ]  # fmt: skip


def test_what_is_measured_goes_by() -> None:
    reflection = Reflection("", Shape.NEWEST)
    reflection.writes(STATE, [], 5.0, {})
    assert reflection.writes(STATE, [Measured(PID, "function_init_time", 4.5, "0.5")], 6.0, {}) == [
        Score(f"performance:{PID}:function_init_time", "4.5:0.5", 4.5, is_fleeting=True)
    ]
