"""What is said of a machine that lacks something: texts as its kernel gives them."""

from attacca.worker.host.isolation import CONTAINER, LIMITS, QUESTIONS, SWITCHES, findings, no_limits
from tests.cases import each

FINE = dict.fromkeys(QUESTIONS, "")
REFUSED = "[Errno 1] clone: Operation not permitted"
FULL = "[Errno 28] clone: No space left on device"


def missing(**errors: str) -> dict[str, tuple[str, str]]:
    return {one.name: (one.detail, one.hint) for one in findings(FINE | errors) if not one.ok}


def test_a_machine_that_lacks_nothing() -> None:
    assert missing() == {}
    assert all(one.detail == "ok" and one.needed for one in findings(FINE))


def test_one_refusal_is_explained_once() -> None:
    told = missing(**{key: REFUSED for key in QUESTIONS if key != "filter"})
    detail, hint = told.pop("user namespace")
    assert detail == REFUSED
    assert SWITCHES in hint
    assert CONTAINER in hint, "there they are refused alike"
    assert set(told.values()) == {("for the same reason as the user namespace", "")}
    assert len(told) == len(QUESTIONS) - 2


def test_root_is_told_of_the_switch_too_because_only_its_sandboxes_need_it() -> None:
    [(name, (detail, hint))] = missing(nested=REFUSED).items()
    assert (name, detail) == ("nested namespaces", REFUSED)
    assert SWITCHES in hint


@each("key", ["user", "pid", "network", "nested"])
def test_a_limit_that_is_reached_is_called_one(key: str) -> None:
    assert [hint for _, hint in missing(**{key: FULL}).values()] == [LIMITS]


def test_other_errors_beside_it_keep_their_own_hints() -> None:
    told = missing(user=FULL, nested=FULL, read_only="[Errno 38] mount_setattr /tmp/usr: Function not implemented")
    assert told["nested namespaces"] == ("for the same reason as the user namespace", "")
    assert "5.12" in told["read-only system"][1]


def test_without_limits_there_are_three_ways_on() -> None:
    error = no_limits()
    assert "memory_mb" in error.message
    assert all(way in error.hint for way in ("root", "systemd-run", "--memory-limits watch"))
