"""A whole server whose functions want to keep more sandboxes than there can be."""

from pathlib import Path

from tests.live.whole import Whole, running, until

HELLO = "def hello(name='world'):\n    return name\n"


def refused(told: dict[str, object]) -> str:
    error = told["error"]
    assert isinstance(error, dict)
    assert error["code"] == "too_much_reserved"
    assert error["try"]
    return str(error["message"])


def works(whole: Whole, name: str) -> bool:
    return whole.call(name, {"name": "x"}).status == 200


def test_what_can_never_be_kept_is_refused_and_starves_nobody(tmp_path: Path) -> None:
    with running(tmp_path / "state", "--memory", "1000") as whole:
        whole.function("other", HELLO)
        message = refused(whole.deploy("greedy", HELLO, min_sandboxes=10_000, memory_mb=32))
        assert "10000 of 32 MB" in message
        assert "1000 MB" in message
        whole.function("greedy", HELLO, min_sandboxes=20, memory_mb=32)
        assert "672 MB are reserved" in refused(whole.deploy("second", HELLO, min_sandboxes=10, memory_mb=32))
        assert "could not run" in refused(whole.deploy("large", HELLO, memory_mb=900))
        assert works(whole, "other")
        until(lambda: len(whole.sandboxes("greedy")) >= 20)
        assert works(whole, "other")
        whole.function("new", HELLO)
        whole.function("greedy", HELLO + "# again\n", min_sandboxes=20, memory_mb=32)
        whole.function("greedy", HELLO, min_sandboxes=0, memory_mb=32)
        answer = whole.ask("POST", "/api/functions/greedy/rollback", b"{}", {"content-type": "application/json"})
        assert answer.status == 200, answer
        whole.function("second", HELLO, min_sandboxes=3, memory_mb=32)
        whole.function("greedy", HELLO, min_sandboxes=0, memory_mb=32)
        whole.function("second", HELLO, min_sandboxes=20, memory_mb=32)
        back = whole.ask("POST", "/api/functions/greedy/rollback", b'{"to": 1}', {"content-type": "application/json"})
        assert (back.status, back.code) == (422, "too_much_reserved")
        body = b'{"count": 10000}'
        many = whole.ask("POST", "/api/functions/other/prewarm", body, {"content-type": "application/json"})
        assert (many.status, many.code) == (422, "too_much_reserved")


def test_a_start_with_less_memory_keeps_what_fits_says_so_and_takes_a_correction(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(state, "--memory", "2000") as whole:
        whole.function("ant", HELLO, min_sandboxes=20, memory_mb=32)
        whole.function("bee", HELLO, min_sandboxes=20, memory_mb=32)
        whole.function("other", HELLO)
    with running(state, "--memory", "600") as whole:
        assert "ant keeps 13 of its 20 min_sandboxes" in whole.said
        assert "bee keeps 0 of its 20 min_sandboxes" in whole.said
        kept = {name: whole.get(f"/api/functions/{name}")["statistics"]["kept"] for name in ("ant", "bee")}
        assert kept == {"ant": 13, "bee": 0}
        assert works(whole, "other")
        assert works(whole, "bee")
        whole.function("bee", HELLO, min_sandboxes=0, memory_mb=32)
        whole.function("ant", HELLO, min_sandboxes=2, memory_mb=32)
        assert works(whole, "ant")
