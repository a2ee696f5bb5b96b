"""Short functions in a crowd: their sandboxes are handed what is next, and nobody can tell but by the time it takes."""

from collections.abc import Iterator

import pytest

from tests.live.patience import Later
from tests.live.whole import Answer, Whole, running

QUICK = """
import os
at_work = []

def quick(n, dies=False):
    assert not at_work, "two at once"
    at_work.append(n)
    if dies:
        os._exit(3)
    at_work.remove(n)
    return n
"""
CALLERS, EACH, CROWDS = 12, 40, 50


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with running(tmp_path_factory.mktemp("state")) as up:
        up.function("quick", QUICK, max_sandboxes=1, queue=1000)
        yield up


def crowd(whole: Whole, deadly: range = range(0)) -> dict[int, Answer]:
    """What each is answered, when so many ask at once, one after the other."""

    def ask(caller: int) -> dict[int, Answer]:
        numbers = range(caller * EACH, (caller + 1) * EACH)
        return {number: whole.call("quick", {"n": number, "dies": number in deadly}) for number in numbers}

    callers = [Later(lambda caller=caller: ask(caller)) for caller in range(CALLERS)]  # type: ignore[misc]  # mypy infers no lambda with a default
    return {number: answer for caller in callers for number, answer in caller.result().items()}


def test_each_is_answered_with_its_own_and_some_were_handed_ahead(whole: Whole) -> None:
    for _ in range(20):
        whole.call("quick", {"n": 0})
    for _ in range(CROWDS):  # how many wait at once, and how long one takes, is the machine's affair
        answers = crowd(whole)
        assert {number: answer.value for number, answer in answers.items()} == {number: number for number in answers}
        turns = [call["reasons"]["turn"] for call in whole.get("/api/calls?function=quick&limit=500")]
        if any(turn.startswith("handed ahead") for turn in turns):
            return
    raise AssertionError(f"nobody in {CROWDS} crowds was handed ahead")


def test_a_sandbox_that_dies_takes_nobody_with_it_but_whom_it_had_begun(whole: Whole) -> None:
    deadly = range(10, CALLERS * EACH, 2 * EACH)
    answers = crowd(whole, deadly)
    assert [number for number, answer in answers.items() if answer.status != 200] == [*deadly]
    assert {answers[number].code for number in deadly} == {"sandbox_lost"}
    assert all(answers[number].value == number for number in answers if number not in deadly)


EVIL = """
import fcntl, os, struct
def swallow():
    os.set_blocking(3, False)
    try:
        while os.read(3, 65536):
            pass
    except BlockingIOError:
        os.set_blocking(3, True)
def forge():
    for number in range(1, 500, 7):
        os.write(4, struct.pack("<IBI", 0, 29, number))
def no_packets():
    fcntl.fcntl(3, fcntl.F_SETFL, os.O_NONBLOCK)
def close():
    os.close(3)
def evil(n, how=""):
    if how:
        globals()[how]()
    return n
"""


@pytest.mark.parametrize("how", ["swallow", "forge", "no_packets", "close"])
def test_who_tampers_with_what_it_was_handed_loses_its_own_and_nobody_gets_anothers(whole: Whole, how: str) -> None:
    name = f"evil-{how}".replace("_", "-")
    whole.function(name, EVIL, handler="main:evil", max_sandboxes=1, queue=1000, timeout_s=5.0)
    for _ in range(20):
        whole.call(name, {"n": 0})

    def ask(caller: int) -> list[tuple[int, Answer]]:
        numbers = range(caller * 10, (caller + 1) * 10)
        return [(n, whole.call(name, {"n": n, "how": how if n % 37 == 5 else ""})) for n in numbers]

    callers = [Later(lambda caller=caller: ask(caller)) for caller in range(CALLERS)]  # type: ignore[misc]  # as above
    for number, answer in (pair for caller in callers for pair in caller.result()):
        assert answer.value == number if answer.status == 200 else answer.code in ("sandbox_lost", "timeout")
    assert whole.call("quick", {"n": 7}).value == 7
    whole.delete(name)
