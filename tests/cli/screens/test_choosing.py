"""What keys do to what `attacca top` shows, and the curves of what functions were invoked."""

from typing import Any

from attacca.cli.screens.choosing import LOOKS, SORTS, TYPED_MOST, Chosen, Past, Sort, hour
from attacca.cli.screens.keys import Keys
from tests.cases import each


def row(function: str, **more: Any) -> dict[str, Any]:
    plain = {"running": 0, "queued": 0, "invocations": 0, "cold": 0, "errors": 0, "exec_ms": {"p50": 0.0, "p99": 0.0}}
    return {"function": function, **plain, **more}


ROWS = [
    row("b", running=1, invocations=5, errors=2, exec_ms={"p50": 1.0, "p99": 9.0}),
    row("a", running=1, invocations=9, queued=3),
    row("shop", cold=4, exec_ms={"p50": 2.0, "p99": 3.0}),
]


@each(
    "keys, names",
    [
        ("", "a b shop"),
        ("s", "a b shop"),
        ("sr", "shop b a"),
        ("ss", "a b shop"),
        ("sss", "a b shop"),
        ("ssss", "shop a b"),
        ("sssss", "b a shop"),
        ("ssssss", "shop b a"),
        ("sssssss", "b shop a"),
        ("sssssssr", "a shop b"),
        ("/sh", "shop"),
        ("/s\ns", "shop"),
        ("/sx\x7f", "shop"),
        ("/sh\x1b", "a b shop"),
        ("/none", ""),
        ("x\x00", "a b shop"),
    ],
)
def test_keys_sort_and_find(keys: str, names: str) -> None:
    chosen = Chosen()
    for key in keys:
        chosen = chosen.press(key)
    assert " ".join(one["function"] for one in chosen.arranged(ROWS)) == names


def test_a_name_that_is_typed_has_an_end_and_letters_that_are_keys_elsewhere() -> None:
    chosen = Chosen()
    for key in "/" + "q" * 2 * TYPED_MOST + "\x00":
        chosen = chosen.press(key)
    assert (chosen.find, chosen.is_over) == ("q" * TYPED_MOST, False)
    assert chosen.press("\n").press("q").is_over
    assert "find qq" in chosen.line()


def test_every_sort_comes_and_then_the_first_again() -> None:
    chosen, seen = Chosen(), []
    for _ in SORTS:
        seen.append(chosen.sort)
        chosen = chosen.press("s")
    assert seen == list(Sort)
    assert chosen == Chosen()


def test_a_sandbox_is_of_a_function_that_is_looked_for() -> None:
    assert Chosen(find="sh").holds("shop@2")
    assert not Chosen(find="2").holds("shop@2")


def test_a_curve_is_of_what_was_invoked_between_looks_and_counters_may_begin_anew() -> None:
    past = Past()
    for count in (100, 104, 104, 2):
        past.see([row("f", invocations=count)])
    assert past.curve("f") == " ▁▂▃▄▅▆▇█"[0].rjust(LOOKS - 3) + "█ ▄"
    assert past.curve("unknown").strip() == ""
    past.see([])
    assert repr(past) == "<Past of 0 functions>"


def test_the_hour_is_as_many_parts_as_there_is_room_for() -> None:
    step = {"warm": 1, "prewarmed": 0, "template": 0, "cold": 0, "unborn": 0, "p99_ms": 2.0}
    steps = [step, {**step, "warm": 3, "cold": 1, "p99_ms": None}] * 10
    assert hour({"steps": steps, "p50_ms": 1.0, "p99_ms": 2.0}, 10) == (
        "hour ██████████ 50 invocations · 20.0% cold · p50 1 ms · p99 ██████████ 2 ms"
    )
    none = {"p50_ms": None, "p99_ms": None}
    assert hour({"steps": steps[:1], **none}, 10) == "hour █ 1 invocations · 0.0% cold"
    assert hour({"steps": [{**step, "warm": 0}], **none}, 10) == "hour   0 invocations"
    assert hour({"steps": [], **none}, 10) == ""


def test_where_there_is_no_terminal_no_key_comes() -> None:
    assert repr(Keys(None)) == "<Keys of None>"
