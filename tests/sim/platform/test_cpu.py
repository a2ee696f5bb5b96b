import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.sim.engine import Engine
from attacca.sim.platform.cpu import Cores, Shared, Unshared

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


def on_cores(works: list[float], cores: int, background: float = 0.0) -> list[float]:
    """When each of those that begin at once is done."""
    engine = Engine()
    cpu, ends = Cores(engine, cores, background), [0.0] * len(works)

    def end(place: int) -> None:
        ends[place] = engine.now

    for place, work_s in enumerate(works):
        cpu.begin(work_s, end, place)
    engine.run()
    assert cpu.busy == 0
    return ends


def test_of_three_on_two_cores_one_has_a_whole_core() -> None:
    """When it is done, one of the others moves to its core."""
    assert on_cores([1.0, 1.0, 1.0], 2) == [1.5, 1.0, 1.5]
    assert on_cores([1.0, 3.0, 1.0], 2) == [2.0, 3.0, 2.0]


def test_nobody_moves_for_one_more_elsewhere() -> None:
    assert on_cores([2.0, 1.0, 2.0, 1.0], 2) == [3.0, 2.0, 3.0, 2.0]


@given(JOBS, st.integers(1, 4))
def test_no_core_is_idle_while_somebody_waits(jobs: list[tuple[float, float]], cores: int) -> None:
    """So the work is done when it would be if all cores were shared by all, as far as two cores stay busy."""
    engine = Engine()
    cpu, done = Cores(engine, cores), list[int]()

    def begin(job: tuple[int, float]) -> None:
        cpu.begin(job[1], done.append, job[0])

    for place, (at, work_s) in enumerate(jobs):
        engine.at(at, begin, (place, work_s))

    def look() -> None:
        counts = [core.busy for core in cpu._cores]
        assert max(counts) - min(counts) <= 1
        assert cpu.busy == sum(counts)

    engine.run(after=look)
    assert sorted(done) == list(range(len(jobs)))
    if cores == 1:
        assert engine.now == pytest.approx(max(finished(jobs, 1)))


def test_the_background_goes_where_a_core_is_idle() -> None:
    assert on_cores([3.0], 2, background=0.5) == [3.0]
    assert on_cores([3.0, 3.0], 2, background=0.5) == [4.0, 4.0]
    assert on_cores([3.0, 1.0], 2, background=1.0) == [4.0, 2.0]


def test_who_gives_up_a_core_leaves_it_to_others() -> None:
    engine, ends = Engine(), list[float]()
    cpu = Cores(engine, 2)
    leaving = [cpu.begin(10.0, lambda _: ends.append(-1.0), None) for _ in range(2)]
    for _ in range(2):
        cpu.begin(2.0, lambda _: ends.append(engine.now), None)
    engine.at(2.0, lambda _: cpu.give_up(leaving[0]))
    engine.at(2.0, lambda _: cpu.set_speed(2.0))
    engine.run(3.5)
    assert ends == pytest.approx([2.5, 2.75])
    assert cpu.busy == 1
