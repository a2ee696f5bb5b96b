"""How many sandboxes a function has is changed while the server runs, and survives it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.live.whole import Whole, running, until

HELLO = "def hello(name='world'):\n    return name\n"
JSON = {"content-type": "application/json"}


def scaled(whole: Whole, **scale: Any) -> Any:
    answer = whole.ask("POST", "/api/functions/hello/scale", json.dumps(scale).encode(), JSON)
    assert answer.status == 200, answer
    return json.loads(answer.body)


def there(whole: Whole) -> list[str]:
    return [one["id"] for one in whole.sandboxes("hello")]


@pytest.mark.parametrize("scheduling", ["worker", "cluster"])
def test_more_are_made_at_once_and_what_is_there_stays(tmp_path: Path, scheduling: str) -> None:
    state = tmp_path / "state"
    with running(state, "--memory", "1000") as whole:
        whole.function("hello", HELLO, memory_mb=32, scheduling=scheduling)
        assert whole.call("hello", {"name": "x"}).status == 200
        before = there(whole)
        assert before
        now = scaled(whole, min_sandboxes=3, max_sandboxes=3)
        assert (now["revision"], now["min_sandboxes"]) == (1, 3)
        until(lambda: len(there(whole)) == 3)
        assert set(before) <= set(there(whole))
        assert whole.call("hello", {"name": "y"}).status == 200
    with running(state, "--memory", "1000") as whole:
        until(lambda: len(there(whole)) == 3)


def test_another_policy_decides_from_now_on(tmp_path: Path) -> None:
    with running(tmp_path / "state", "--memory", "1000") as whole:
        whole.function("hello", HELLO, memory_mb=32, scheduling="cluster")
        scaled(whole, scaling={"policy": "fixed", "count": 2}, placement="round_robin")
        until(lambda: len(there(whole)) == 2)
        scaled(whole, scaling={"policy": "fixed", "count": 1})
        until(lambda: len(there(whole)) == 1)
        for wrong in (
            {"scaling": {"policy": "magic"}},
            {"scaling": {"policy": "fixed", "speed": 3}},
            {"placement": "x"},
        ):
            answer = whole.ask("POST", "/api/functions/hello/scale", json.dumps(wrong).encode(), JSON)
            assert (answer.status, answer.code) == (400, "bad_config")
        assert whole.get("/api/functions/hello")["settings"]["scaling"] == {"policy": "fixed", "count": 1}
