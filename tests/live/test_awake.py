"""A server whose worker stays awake for what comes next, for as long as it may be told to; and comes soon where it has
to be woken."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from attacca.worker.host.turns import NANOSECONDS, TURN_US, attributes
from attacca.worker.runtime.process.lineage import children
from tests.live.patience import Later
from tests.live.whole import Whole, running, until, until_nothing_is_left

LONGEST = ("--set", "worker.poll_us=1000")
SLEEPS = "import time\ndef sleeps(s=0):\n    time.sleep(s)\n    return s"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with running(tmp_path_factory.mktemp("state"), *LONGEST) as up:
        yield up


def worked_ticks(whole: Whole) -> int:
    """Of a processor, so far."""
    fields = Path(f"/proc/{whole.pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def rests(whole: Whole) -> bool:
    """A loop that does not would work for five ticks of a hundredth."""
    before = worked_ticks(whole)
    time.sleep(0.05)
    return worked_ticks(whole) <= before + 1


def test_it_goes_to_sleep_when_nothing_comes(whole: Whole) -> None:
    whole.function("quick", "def quick(n):\n    return n")
    for number in range(200):
        assert whole.call("quick", {"n": number}).value == number
    until(lambda: rests(whole), "it sleeps again")


def test_it_sleeps_while_a_slow_function_runs(whole: Whole) -> None:
    whole.function("sleeps", SLEEPS)
    slow = Later(lambda: whole.call("sleeps", {"s": 1.5}).value)
    until(lambda: rests(whole), "it sleeps")
    assert slow.result() == 1.5


@pytest.mark.skipif(not (attributes() and attributes()[NANOSECONDS]), reason="Linux before 6.12")
def test_the_server_and_its_sandboxes_ask_for_short_turns(whole: Whole) -> None:
    whole.function("quick", "def quick(n):\n    return n")
    assert whole.call("quick", {"n": 1}).value == 1
    asked = [attributes(pid) for pid in (whole.pid, *below(whole.pid))]
    assert len(asked) > 3, "a supervisor, a zygote, a sandbox"
    assert {one[NANOSECONDS] for one in asked if one} == {TURN_US * 1000}


def below(pid: int) -> list[int]:
    return [one for child in children(pid) for one in (child, *below(child))]


def test_what_ends_otherwise_than_by_an_answer_ends_as_ever(whole: Whole) -> None:
    whole.function("sleeps", SLEEPS, timeout_s=0.3)
    whole.function("exits", "import os\ndef exits(now=True):\n    if now:\n        os._exit(3)\n    return 1")
    for _ in range(3):
        assert whole.call("sleeps").value == 0
        assert whole.call("sleeps", {"s": 30}).code == "timeout"
        assert whole.call("exits", {"now": False}).value == 1
        assert whole.call("exits").code == "sandbox_lost"
    until(lambda: whole.worker()["running"] == 0, "nothing runs any more")


def test_a_server_that_ends_does_not_wait_for_it(tmp_path: Path) -> None:
    with running(tmp_path / "state", *LONGEST) as whole:
        whole.function("sleeps", SLEEPS)
        running_one = Later(lambda: whole.call("sleeps", {"s": 0.2}).value)
        until(lambda: whole.worker()["running"] == 1, "it runs")
        os.kill(whole.pid, signal.SIGTERM)
        assert running_one.result() == 0.2
        assert whole.process.wait(20) == 0
        until_nothing_is_left(whole)
