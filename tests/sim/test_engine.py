from hypothesis import given
from hypothesis import strategies as st

from attacca.sim.engine import PURGE_LEAST, Engine, EngineTimer


def test_what_is_due_at_once_happens_in_the_order_of_asking() -> None:
    engine, happened = Engine(), list[str]()
    engine.at(2.0, happened.append, "late")
    for name in "abc":
        engine.at(1.0, happened.append, name)
    engine.run()
    assert happened == ["a", "b", "c", "late"]
    assert engine.now == 2.0


def test_what_is_later_waits_for_the_next_run() -> None:
    engine, happened = Engine(), list[float]()
    for at in (1.0, 5.0):
        engine.at(at, happened.append, at)
    engine.run(until=3.0)
    assert (happened, engine.now, engine.waiting) == ([1.0], 3.0, 1)
    engine.run()
    assert happened == [1.0, 5.0]


def test_an_event_can_be_the_last() -> None:
    engine, happened = Engine(), list[str]()
    engine.at(1.0, lambda _: engine.stop())
    engine.at(1.0, happened.append, "never")
    engine.run()
    assert (happened, engine.waiting, engine.now) == ([], 1, 1.0)


def test_after_is_told_of_every_event() -> None:
    engine, seen = Engine(), list[float]()
    for at in (1.0, 2.0):
        engine.at(at, lambda _: None)
    engine.run(after=lambda: seen.append(engine.now))
    assert seen == [1.0, 2.0]


@given(st.lists(st.tuples(st.floats(0, 10), st.booleans())))
def test_the_cancelled_never_happen_and_the_others_do_in_order(events: list[tuple[float, bool]]) -> None:
    engine, happened = Engine(), list[tuple[float, int]]()
    tickets = [engine.at(at, happened.append, (at, place)) for place, (at, _) in enumerate(events)]
    for ticket, (_, is_cancelled) in zip(tickets, events, strict=True):
        if is_cancelled:
            engine.cancel(ticket)
    engine.run()
    assert happened == sorted((at, place) for place, (at, is_cancelled) in enumerate(events) if not is_cancelled)
    assert engine.waiting == 0


def test_many_cancelled_ones_leave_the_heap() -> None:
    engine = Engine()
    tickets = [engine.at(float(at), lambda _: None) for at in range(4 * PURGE_LEAST)]
    for ticket in tickets[: 3 * PURGE_LEAST]:
        engine.cancel(ticket)
    assert engine.waiting == PURGE_LEAST
    assert len(engine._heap) < 2 * PURGE_LEAST


def test_a_timer_rings_once_at_the_time_it_was_set_to_last() -> None:
    engine, rang = Engine(), list[float]()
    timer = EngineTimer(engine)
    for at in (5.0, 3.0):
        timer.set(at, lambda: rang.append(engine.now))
    assert repr(timer) == "<EngineTimer on, 0 s before>"
    engine.run()
    timer.set(9.0, lambda: rang.append(engine.now))
    timer.clear()
    engine.run()
    assert (rang, repr(timer)) == ([3.0], "<EngineTimer off, 0 s before>")


def test_a_clock_that_goes_before_rings_earlier_but_never_before_its_time() -> None:
    engine, rang = Engine(), list[float]()
    timer = EngineTimer(engine)
    timer.skew_s = 2.0
    timer.set(5.0, lambda: rang.append(engine.now + timer.skew_s))
    engine.run()
    assert 5.0 <= rang[0] < 5.001
