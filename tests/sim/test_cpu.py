import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.sim.cpu import Shared, Unshared
from attacca.sim.engine import Engine

JOBS = st.lists(st.tuples(st.floats(0, 10), st.floats(0.01, 5)), min_size=1, max_size=12)


def finished(jobs: list[tuple[float, float]], cores: int) -> list[float]:
    engine = Engine()
    cpu, ends = Shared(engine, cores), [0.0] * len(jobs)

    def end(place: int) -> None:
        ends[place] = engine.now

    def begin(job: tuple[int, float]) -> None:
        cpu.begin(job[1], end, job[0])

    for place, (at, work_s) in enumerate(jobs):
        engine.at(at, begin, (place, work_s))
    engine.run()
    return ends


def by_small_steps(jobs: list[tuple[float, float]], cores: int) -> list[float]:
    """From one change to the next, everybody's rest is counted down."""
    left, ends, now = [work_s for _, work_s in jobs], [0.0] * len(jobs), 0.0
    waiting = sorted(range(len(jobs)), key=lambda place: jobs[place][0])
    present: list[int] = []
    while waiting or present:
        rate = min(1.0, cores / len(present)) if present else 1.0
        done_at = min((now + left[place] / rate for place in present), default=float("inf"))
        comes_at = jobs[waiting[0]][0] if waiting else float("inf")
        then = min(done_at, comes_at)
        for place in present:
            left[place] -= (then - now) * rate
        now = then
        if comes_at <= done_at:
            present.append(waiting.pop(0))
        for place in [place for place in present if left[place] <= 1e-9]:
            present.remove(place)
            ends[place] = now
    return ends


@given(JOBS, st.integers(1, 4))
def test_sharing_is_exact(jobs: list[tuple[float, float]], cores: int) -> None:
    assert finished(jobs, cores) == pytest.approx(by_small_steps(jobs, cores), abs=1e-6)


def test_who_gives_up_leaves_its_share_to_the_others() -> None:
    engine, ends = Engine(), list[float]()
    cpu = Shared(engine, 1)
    leaving = cpu.begin(10.0, lambda _: ends.append(-1.0), None)
    cpu.begin(2.0, lambda _: ends.append(engine.now), None)
    engine.at(2.0, lambda _: cpu.give_up(leaving))
    engine.run()
    assert ends == [3.0]


@pytest.mark.parametrize(("speed", "end"), [(0.5, 3.0), (2.0, 1.5)])
def test_a_new_speed_counts_for_what_is_under_way(speed: float, end: float) -> None:
    engine, ends = Engine(), list[float]()
    cpu = Shared(engine, 1)
    cpu.begin(2.0, lambda _: ends.append(engine.now), None)
    engine.at(1.0, lambda _: cpu.set_speed(speed))
    engine.run()
    assert ends == [end]


def test_unshared_cores_make_nobody_wait() -> None:
    engine, ends = Engine(), list[float]()
    cpu = Unshared(engine)
    for _ in range(3):
        cpu.begin(2.0, lambda _: ends.append(engine.now), None)
    engine.run()
    assert ends == [2.0, 2.0, 2.0]
