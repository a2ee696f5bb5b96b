"""A story is told in lines, its times from the first of them, and the reasons come last."""

from typing import Any

from attacca.cli.watch.explain import lines

MOMENTS = [
    {"at": 1e9, "where": "gateway", "what": "arrived at the gateway", "about": "hello"},
    {"at": 1e9 + 0.25, "where": "worker", "what": "has run", "about": "s1\x1b[31m, 2.000 ms, ok"},
]
REASONS = {"start": "a slot was free", "turn": "nobody was before it", "place": ""}


def told(moments: list[dict[str, Any]], call: dict[str, Any] | None) -> list[str]:
    return lines({"subject": "i1", "moments": moments, "call": call})


def test_a_story_with_its_reasons() -> None:
    assert told(MOMENTS, {"reasons": REASONS}) == [
        "       0.000 ms  gateway  arrived at the gateway       hello",
        "     250.000 ms  worker   has run                      s1\\x1b[31m, 2.000 ms, ok",
        "",
        " why this start  a slot was free",
        "  why this turn  nobody was before it",
    ]


def test_its_trace_and_where_a_person_can_look_at_it() -> None:
    traced = {"trace": "4bf9", "span": "00f0", "is_sent": True, "page": "http://traces/4bf9"}
    assert told([], {"traced": traced}) == [
        "          trace  4bf9, handed on for the collector",
        "                 http://traces/4bf9",
    ]
    assert told([], {"traced": traced | {"is_sent": False, "page": ""}}) == ["          trace  4bf9"]


def test_what_is_not_there_is_left_out() -> None:
    assert told(MOMENTS, None)[-1].startswith("     250.000 ms")
    assert told([], {"reasons": REASONS})[0] == " why this start  a slot was free"
