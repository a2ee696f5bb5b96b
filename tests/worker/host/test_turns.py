import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from attacca.worker.host.turns import ATTRIBUTES, CALLS, NANOSECONDS, POLICY, ask, attributes

NICE = 3  # its place among the attributes
is_heard = bool(attributes() and attributes()[NANOSECONDS])
heard = pytest.mark.skipif(not is_heard, reason="Linux before 6.12, or a machine whose calls are not known")


def asked(turn_us: int) -> tuple[bool, tuple[int, ...], tuple[int, ...]]:
    before = attributes()
    return ask(turn_us), before, attributes()


@heard
def test_a_thread_asks_for_itself_and_nothing_else_about_it_changes() -> None:
    with ThreadPoolExecutor(1) as one:
        is_granted, before, after = one.submit(asked, 250).result()
    assert is_granted
    assert after == (*before[:NANOSECONDS], 250_000, *before[NANOSECONDS + 1 :])
    assert attributes()[NANOSECONDS] == before[NANOSECONDS] != after[NANOSECONDS], "others are as they were"


@heard
def test_who_is_nice_stays_so() -> None:
    def nicer() -> tuple[bool, tuple[int, ...], tuple[int, ...]]:
        os.setpriority(os.PRIO_PROCESS, 0, 19)  # of this thread
        return asked(250)

    with ThreadPoolExecutor(1) as one:
        is_granted, before, after = one.submit(nicer).result()
    assert is_granted
    assert (before[NICE], after[NICE]) == (19, 19)
    assert after[NANOSECONDS] == 250_000


@heard
def test_who_has_a_processor_in_another_way_is_left_alone() -> None:
    def idler() -> tuple[bool, tuple[int, ...], tuple[int, ...]]:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        return asked(250)

    with ThreadPoolExecutor(1) as one:
        is_granted, before, after = one.submit(idler).result()
    assert not is_granted
    assert before[POLICY] == os.SCHED_IDLE
    assert after == before


def test_where_the_calls_are_not_known_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(CALLS, os.uname().machine, raising=False)
    assert attributes() == ()
    assert not ask()


def test_attributes_are_as_long_as_the_kernel_has_them() -> None:
    assert ATTRIBUTES.size == 56  # SCHED_ATTR_SIZE_VER1
