import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.errors import BadConfig, NotFound
from attacca.lab.bodies import (
    CUT_OFF,
    MARK,
    Known,
    archive,
    example_of,
    fixed_call,
    known_input,
    known_of,
    map_to_examples,
    mapping_error,
    settings_of,
    timed_call,
)
from attacca.load.sending.frames import Call
from attacca.load.workload.scenario import Body, FunctionPlan

times = st.integers(1, 40).map(float)


@given(st.lists(times, max_size=6), st.lists(times, max_size=4))
def test_each_row_gets_the_nearest_example_or_none(wanted: list[float], measured: list[float]) -> None:
    functions = {f"f{number}": ms for number, ms in enumerate(wanted)}
    examples = {f"e{number}": ms for number, ms in enumerate(measured)}
    for one in map_to_examples(functions, examples):
        nearest = min((abs(ms - one.wanted_ms) / one.wanted_ms for ms in measured), default=math.inf)
        assert one.error == pytest.approx(nearest)
        assert (one.example != "") == (nearest <= CUT_OFF)


def test_the_error_is_told_by_invocations() -> None:
    mapped = map_to_examples({"a": 10.0, "b": 100.0, "none": 5000.0}, {"ten": 11.0, "hundred": 130.0})
    assert [one.example for one in mapped] == ["ten", "hundred", ""]
    many, without, error = mapping_error(mapped, {"a": 3.0, "b": 1.0, "none": 9.0})
    assert (many, without) == (2, 1)
    assert error == pytest.approx((3 * 0.1 + 0.3) / 4)
    assert mapping_error([], {}) == (0, 0, 0.0)


def said(call: Call, duration_ms: float) -> tuple[list[str], dict[str, object]]:
    request, size = call.request(duration_ms)
    head, _, body = request.partition(b"\r\n\r\n")
    assert len(body) == size
    lines = head.decode().split("\r\n")
    assert f"Content-Length: {size}" in lines
    return lines, json.loads(body)


def test_our_own_body_is_told_how_long() -> None:
    lines, asked = said(timed_call(FunctionPlan(name="spin"), "localhost:8080", "", 25_000.0), 12.3456)
    assert lines[0] == "POST /function/spin HTTP/1.1"
    assert asked == {"ms": 12.346, "per_ms": 25000.0, "kind": "busy"}
    plan = FunctionPlan(name="hold", memory_mb=256, body=Body(kind="memory"))
    _, asked = said(timed_call(plan, "localhost", "", 1.0), 1.0)
    assert asked["mb"] == 128


def test_a_percent_sign_in_a_fixed_body_stays() -> None:
    lines, asked = said(fixed_call("hello", "localhost", "secret", Known(body=b'{"share": "10 %d"}')), 5.0)
    assert asked == {"share": "10 %d"}
    assert "Authorization: Bearer secret" in lines


def test_what_is_deployed_has_the_plans_limits_and_our_mark() -> None:
    plan = FunctionPlan(name="f", memory_mb=1, timeout_s=1e9, wait_s=5.0, concurrency=5000, queue=10**9)
    settings = settings_of(plan)
    assert (settings.memory_mb, settings.timeout_s, settings.wait_s) == (32, 86_400.0, 5.0)
    assert (settings.concurrency, settings.queue, settings.env) == (1000, 1_000_000, {MARK: "1"})
    assert archive() == archive()


def test_examples_bring_their_input() -> None:
    known = known_input(example_of(Body(kind="example", example="thumbnail")))
    assert (known.path, known.content_type, known.body[:2]) == ("?width=320&height=320", "image/jpeg", b"\xff\xd8")
    readme = known_input(example_of(Body(kind="example", example="markdown")))
    assert (readme.path, readme.content_type, readme.body[:1]) == ("", "text/markdown", b"#")
    item = known_input(example_of(Body(kind="example", example="api")))
    assert (item.path, item.content_type, "name" in json.loads(item.body)) == ("/items", "application/json", True)
    assert known_input(example_of(Body(kind="example", example="api")), "/items?new").path == "/items?new"
    with pytest.raises(NotFound, match="no example 'nothing'"):
        example_of(Body(kind="example", example="nothing"))


def test_what_is_asked_for_comes_before_what_is_known() -> None:
    mine = Known(body=b"[]")
    assert known_of("api", mine) == mine
    assert known_of("api", Known()).path == "/items"
    assert known_of("of-somebody", Known()) == Known()


def test_what_makes_no_sense_is_named(tmp_path: Path) -> None:
    (tmp_path / "input").mkdir()
    (tmp_path / "input" / "request.toml").write_text('boby = "x"')
    with pytest.raises(BadConfig, match="boby"):
        known_input(tmp_path)
    (tmp_path / "input" / "request.toml").write_text('body = "nowhere.json"')
    with pytest.raises(BadConfig, match="nowhere"):
        known_input(tmp_path)
    with pytest.raises(BadConfig, match="cannot follow"):
        fixed_call("shop", "localhost", "", Known(path="items"))
