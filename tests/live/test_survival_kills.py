"""`kill -9` of everything that can be killed, under load: what must end ends, and what must go on goes on."""

import contextlib
import http.client
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.patience import Later, patiently
from tests.live.whole import Answer, Whole, running, until, until_nothing_is_left

WORK = """
    import time

    def work(ms=30):
        time.sleep(ms / 1e3)
        return ms
"""
CLIENTS = 6


class Load:
    """Clients that call `work` one after another until told to stop."""

    def __init__(self, whole: Whole) -> None:
        self.whole = whole
        self.answers: list[Answer] = []
        self.broken = 0  # connections that ended without an answer
        self._is_over = threading.Event()
        self._clients = [Later(self._call) for _ in range(CLIENTS)]
        until(lambda: len(self.answers) >= CLIENTS * 2, "the load is on")

    def _call(self) -> None:
        while not self._is_over.is_set():
            try:
                self.answers.append(self.whole.call("work"))
            except OSError:
                self.broken += 1
                if self.whole.process.poll() is not None:
                    return

    def end(self) -> Counter[str]:
        self._is_over.set()
        for client in self._clients:
            client.result()
        return Counter("ok" if answer.status == 200 else answer.code for answer in self.answers)

    def goes_on(self) -> None:
        """Wait until each client has had some more good answers."""
        start = len(self.answers)
        until(lambda: sum(one.status == 200 for one in self.answers[start:]) >= CLIENTS * 3, "good answers again")


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[Whole]:
    with running(tmp_path / "state") as one:
        one.function("work", WORK, queue=1000)
        yield one
    assert one.left() == []


@pytest.mark.parametrize("victim", ["sandboxes", "template", "zygote", "keeper"])
def test_who_loses_a_process_of_the_sandboxes_goes_on(whole: Whole, victim: str) -> None:
    load = Load(whole)
    [template] = whole.guests()
    victims = {
        "sandboxes": whole.forked_from(template),
        "template": [template],
        "zygote": [whole.zygote()],
        "keeper": [whole.keeper()],
    }[victim]
    assert victims
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    load.goes_on()
    counts = load.end()
    assert load.broken == 0, "every client has an answer"
    assert set(counts) == {"ok", "sandbox_lost"}, "who was in it; who only waited has waited a little longer"
    assert counts["sandbox_lost"] <= 2 * CLIENTS, "who comes back at once may meet one that has not ended yet"
    assert whole.is_well()
    assert whole.worker()["running"] == 0
    metrics = whole.metrics()
    ended = sum(count for name, count in metrics.items() if name.startswith('faas_invocations_total{faas_name="work'))
    assert ended == counts.total()


def test_every_sandbox_of_a_killed_template_ends_with_it(whole: Whole) -> None:
    load = Load(whole)
    [template] = whole.guests()
    sandboxes = whole.forked_from(template)
    assert sandboxes
    os.kill(template, signal.SIGKILL)
    until(lambda: not set(sandboxes) & set(whole.family()), "its sandboxes are gone")
    load.goes_on()
    load.end()


@pytest.mark.parametrize("with_supervisor", [False, True], ids=["alone", "with its supervisor"])
def test_after_a_kill_nothing_is_left_and_the_functions_are_back(tmp_path: Path, with_supervisor: bool) -> None:  # noqa: FBT001
    state = tmp_path / "state"
    with running(state) as first:
        first.function("work", WORK)
        load = Load(first)
        keeper = first.keeper()
        assert len(first.family()) > 3
        first.process.kill()
        if with_supervisor:  # then nobody is there to tidy up
            os.kill(keeper, signal.SIGKILL)
        first.end()
        load.end()
        assert all(answer.status == 200 for answer in load.answers)
        until_nothing_is_left(first, "process" if with_supervisor else "")
    with running(state) as second:
        assert second.info["restored"] == 1
        assert second.call("work").value == 30
        assert first.cgroups() == [], "what was left is swept"
        assert second.deploy("work", WORK)["done"]["revision"] == 2
    assert second.left() == []


def test_what_was_acknowledged_outlives_a_kill_and_what_was_not_leaves_no_rest(tmp_path: Path) -> None:
    state = tmp_path / "state"
    acknowledged: list[str] = []

    def deploy(lane: int) -> None:
        for number in range(100):
            name = f"f-{lane}-{number}"
            with contextlib.suppress(OSError, http.client.HTTPException, IndexError):
                if "done" in first.deploy(name, f"def f():\n    return '{name}'\n"):
                    acknowledged.append(name)
            if first.process.poll() is not None:
                return

    with running(state) as first:
        lanes = [Later(lambda lane=lane: deploy(lane)) for lane in range(4)]  # type: ignore[misc]
        until(lambda: len(acknowledged) >= 12, "some are acknowledged")
        first.kill()
        for lane in lanes:
            lane.result()
    with running(state) as second:
        assert {row["function"] for row in second.get("/api/functions")} >= set(acknowledged)
        assert os.listdir(state / "tmp") == []
        assert len(os.listdir(state / "code")) == second.info["restored"]
        for name in acknowledged[-4:]:
            assert second.call(name).body.decode() == name


def test_the_first_signal_lets_what_runs_finish_and_refuses_the_rest(tmp_path: Path) -> None:
    with running(tmp_path / "state", "--concurrency", "fixed", "--set", "worker.concurrency.count=2") as whole:
        whole.function("work", WORK)
        calls = [Later(lambda: whole.call("work", {"ms": patiently(1500)})) for _ in range(6)]
        until(lambda: (view := whole.worker())["running"] == 2 and view["queued"] == 4, "two run and four wait")
        whole.signal(signal.SIGTERM)
        answers = [call.result() for call in calls]
        assert Counter(answer.status for answer in answers) == {200: 2, 503: 4}
        assert {answer.code for answer in answers if answer.status == 503} == {"draining"}
        assert all("retry-after" in answer.headers for answer in answers if answer.status == 503)
        assert whole.end() == 0
        assert whole.left() == []


def test_the_second_signal_ends_what_runs(tmp_path: Path) -> None:
    with running(tmp_path / "state") as whole:
        whole.function("work", WORK)
        call = Later(lambda: whole.call("work", {"ms": 60_000}))
        until(lambda: whole.worker()["running"] == 1, "it runs")
        whole.signal()
        until(lambda: "Draining" in whole.said, "it drains")
        whole.signal()
        assert whole.end() == 130  # which would not wait for so long an invocation
        assert call.result().code in ("draining", "sandbox_lost")
        assert whole.left() == []
