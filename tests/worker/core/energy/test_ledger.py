"""What the book says, against a machine whose every joule is known."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from attacca.model.energy import FunctionEnergy, Reckoned
from attacca.worker.core.energy import ledger as module
from attacca.worker.core.energy.attribution import IdleBy
from attacca.worker.core.energy.counters import Sum, Zone
from attacca.worker.core.energy.ledger import FunctionAccount, Ledger, Look, RunAccount, SandboxAccount

pytestmark = pytest.mark.long  # a machine runs for minutes


def book(by: IdleBy = IdleBy.MEMORY, idle_w: float | None = 10.0, tick_s: float = 0.0) -> Ledger:
    return Ledger("test", by, idle_w, tick_s)


def test_an_invocation_has_its_sandbox_s_part_while_it_ran_and_the_function_the_rest() -> None:
    one = book()
    one.made(0.0, "s", "f", 0.5)
    one.take(Look(0.0, 0.0, 0.0, {"s": 0.0}))
    one.began(0.5, "s", "i")
    one.ended(1.0, "s", "i")
    one.take(Look(2.0, 50.0, 1.0, {"s": 1.0}))
    assert one.spent() == (Reckoned("i", 30.0 + 2.5, 0.0),)
    assert one.spent() == ()
    view = one.view()
    assert view.functions == (
        FunctionEnergy(function="f", run_j=32.5, kept_j=7.5, error_j=0.0, invocations=1, mean_j=32.5),
    )
    assert (view.watts, view.total_j, view.functions_j, view.other_j, view.idle_j) == (25.0, 50.0, 40.0, 0.0, 10.0)
    assert one.view(is_whole=False).functions == ()
    assert one.view(is_whole=False).functions_j == 40.0


def test_what_only_grows_never_goes_back_by_a_hair() -> None:
    one = book(IdleBy.NOBODY, idle_w=None)
    one.made(0.0, "s", "f", 0.5)
    told = []
    for number in range(50):
        one.take(Look(number * 0.1, number * 0.7, number * 0.3, {"s": min(number, 5) * 0.1}))
        view = one.view()
        told.append((view.functions_j, view.other_j, view.idle_j))
        assert view.total_j == pytest.approx(sum(told[-1]))
    assert told[-1][0] > 0
    for values in zip(*told, strict=True):
        assert list(values) == sorted(values)
        assert values[0] == 0


def test_who_runs_through_a_look_has_a_part_of_both() -> None:
    one = book(IdleBy.NOBODY)
    one.made(0.0, "s", "f", 0.5)
    one.take(Look(0.0, 0.0, 0.0, {}))
    one.began(0.0, "s", "i")
    one.take(Look(1.0, 30.0, 1.0, {"s": 1.0}))
    assert one.spent() == ()
    one.ended(1.5, "s", "i")
    one.take(Look(2.0, 50.0, 1.5, {"s": 1.5}))
    assert one.spent() == (Reckoned("i", 30.0, 0.0),)


def test_of_several_at_once_each_one_s_part_may_be_wrong() -> None:
    one = book(IdleBy.NOBODY)
    one.made(0.0, "s", "f", 0.5)
    one.take(Look(0.0, 0.0, 0.0, {}))
    for name in ("a", "b"):
        one.began(0.0, "s", name)
        one.ended(1.0, "s", name)
    one.take(Look(1.0, 30.0, 1.0, {"s": 1.0}))
    assert one.spent() == (Reckoned("a", 10.0, 5.0), Reckoned("b", 10.0, 5.0))


def test_who_ran_for_less_than_is_counted_may_have_had_that() -> None:
    one = book(IdleBy.NOBODY, tick_s=0.01)
    one.made(0.0, "s", "f", 0.5)
    one.take(Look(0.0, 0.0, 0.0, {"s": 0.0}))
    one.began(0.5, "s", "i")
    one.ended(0.501, "s", "i")
    one.take(Look(1.0, 30.0, 1.0, {"s": 0.0}))
    assert one.spent() == (Reckoned("i", 0.0, 20.0 * 0.01),)
    one.began(1.5, "s", "j")
    one.ended(1.501, "s", "j")
    one.take(Look(2.0, 40.0, 1.0, {"s": 0.0}))
    assert one.spent() == (Reckoned("j", 0.0, 20.0 * 0.01),), "where nobody computes, what computing took before"
    assert one.view().functions[0].error_j == 20.0 * 0.01, "it may be missing once"


def test_what_a_sandbox_takes_to_be_made_is_its_function_s() -> None:
    one = book(IdleBy.NOBODY)
    one.take(Look(0.0, 0.0, 0.0, {}))
    one.made(0.0, "s", "f", 0.5)
    one.take(Look(1.0, 30.0, 1.0, {"s": 1.0}))
    (row,) = one.view().functions
    assert (row.run_j, row.kept_j) == (0.0, 20.0)


def test_what_others_compute_is_nobody_s() -> None:
    one = book(IdleBy.NOBODY)
    one.made(0.0, "s", "f", 0.5)
    one.take(Look(0.0, 0.0, 0.0, {}))
    one.take(Look(1.0, 30.0, 2.0, {"s": 0.5}))
    assert (one.view().functions_j, one.view().other_j, one.view().idle_j) == (5.0, 15.0, 10.0)


def test_what_being_on_takes_is_reckoned_where_nobody_says_it() -> None:
    one = book(idle_w=None)
    assert one.idle_w == 0.0
    one.take(Look(0.0, 0.0, 0.0, {}))
    one.take(Look(1.0, 30.0, 2.0, {}))
    assert one.idle_w == 30.0
    one.take(Look(2.0, 35.0, 2.0, {}))
    assert one.idle_w == 5.0


def test_of_what_began_before_the_first_look_nothing_is_told() -> None:
    one = book()
    one.made(0.0, "s", "f", 0.5)
    one.began(0.0, "s", "early")
    one.take(Look(1.0, 0.0, 0.0, {}))
    one.ended(1.5, "s", "early")
    one.take(Look(2.0, 50.0, 1.0, {"s": 1.0}))
    assert one.spent() == ()


def test_who_is_gone_is_forgotten_with_its_runs() -> None:
    one = book()
    one.made(0.0, "s", "f", 0.5)
    one.take(Look(0.0, 0.0, 0.0, {}))
    one.began(0.0, "s", "i")
    one.gone(0.5, "s")
    one.take(Look(1.0, 30.0, 1.0, {}))
    assert repr(one) == "<Ledger of test: 30 J, 1 functions, 0 runs>"
    assert one.view().functions[0].run_j == 2.5, "it was there for half of the time"
    one.gone(1.0, "never")
    one.ended(1.0, "never", "i")
    one.began(1.0, "never", "i")
    assert repr(one) == "<Ledger of test: 30 J, 1 functions, 0 runs>"


def test_a_counter_or_a_clock_that_jumps_back_is_no_energy() -> None:
    one = book()
    one.take(Look(5.0, 100.0, 9.0, {}))
    one.take(Look(4.0, 200.0, 10.0, {}))
    one.take(Look(5.0, 50.0, 8.0, {}))
    assert one.view().total_j == 0.0


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, most in (("RUNS_MOST", 3), ("FUNCTIONS_MOST", 2), ("TOLD_MOST", 1)):
        monkeypatch.setattr(module, name, most)
    one = book()
    one.take(Look(0.0, 0.0, 0.0, {}))
    for number in range(4):
        one.made(0.0, f"s{number}", f"f{number}", 0.1)
        one.began(0.0, f"s{number}", f"i{number}")
    assert repr(one) == "<Ledger of test: 0 J, 0 functions, 3 runs>"
    for number in range(4):
        one.ended(0.5, f"s{number}", f"i{number}")
    one.take(Look(1.0, 30.0, 1.0, {f"s{number}": 0.1 for number in range(4)}))
    assert [row.function for row in one.view().functions] == ["f2", "f3"]
    assert [told.id for told in one.spent()] == ["i0"]


def test_its_parts_say_themselves() -> None:
    run = RunAccount("i", 0.0)
    assert repr(run) == "<RunAccount i: 0 J>"
    run.ended = 1.0
    assert repr(run) == "<RunAccount i: 0 J, ended>"
    assert repr(SandboxAccount("f", 0.5, 0.0)) == "<SandboxAccount of f: 0 runs, 0 s>"
    assert repr(FunctionAccount()) == "<FunctionAccount 0 invocations, 0 J, 0 J kept>"


# A machine whose every joule is known.

UNIT_UJ = 1e6 / (1 << 14)  # of the counter, which has 32 bits of it
ZONE = Zone("intel-rapl:0", "package-0", int(UNIT_UJ * (1 << 32)))
IDLE_W, CORE_W, MEMORY_SHARE = 40.0, 65.0, 0.125


class Work(NamedTuple):
    """A function's invocations in one sandbox: so long each, so long between two, and of its time so much computing."""

    function: str
    runs_s: float
    rests_s: float
    computing: float

    @property
    def turn_s(self) -> float:
        return self.runs_s + self.rests_s

    def busy_s(self, at: float) -> float:
        turns, within = divmod(at, self.turn_s)
        return (turns * self.runs_s + min(within, self.runs_s)) * self.computing


WORKS = (Work("short", 0.23, 0.9, 1.0), Work("long", 3.1, 7.7, 0.8), Work("waits", 1.7, 0.6, 0.1))
BACKGROUND = Work("other programs", 5.3, 2.9, 1.0)


class Known(NamedTuple):
    book: Ledger
    computing_j: dict[str, float]  # by function, as it was
    told: dict[str, list[Reckoned]]


def run(core_j: Callable[[float, float, float], float], looks: int = 200) -> Known:
    """`core_j`: what a second of a core takes in a second that begins then, and while so many of them compute."""
    one, counter = book(idle_w=IDLE_W, tick_s=0.01), Sum()
    raw_uj = (1 << 32) * UNIT_UJ - 5_000_000.0  # it goes around soon
    truth = dict.fromkeys((work.function for work in WORKS), 0.0)
    for work in WORKS:
        one.made(0.0, work.function, work.function, MEMORY_SHARE)
    told: dict[str, list[Reckoned]] = {work.function: [] for work in WORKS}
    for second in range(looks + 1):
        if second:
            every = {work: work.busy_s(second) - work.busy_s(second - 1) for work in (*WORKS, BACKGROUND)}
            rate = core_j(second - 1, second, sum(every.values()))
            raw_uj += (IDLE_W + rate * sum(every.values())) * 1e6
            for work in WORKS:
                truth[work.function] += rate * every[work]
                _runs(one, work, second - 1, second)
        counter.take(float(second), {ZONE: int(raw_uj / UNIT_UJ) % (1 << 32) * int(UNIT_UJ * 1e6) // 1_000_000})
        cpu_s = {work.function: int(work.busy_s(second) * 100) / 100 for work in WORKS}
        busy_s = int(sum(work.busy_s(second) for work in (*WORKS, BACKGROUND)) * 100) / 100
        one.take(Look(float(second), counter.joules, busy_s, cpu_s, took_s=0.002))
        for spent in one.spent():
            told[spent.id.partition("-")[0]].append(spent)
    return Known(one, truth, told)


def _runs(one: Ledger, work: Work, since: float, until: float) -> None:
    """Its invocations that begin or end in this second, in their order."""
    first = int(since / work.turn_s)
    for number in range(first, int(until / work.turn_s) + 1):
        began, name = number * work.turn_s, f"{work.function}-{number}"
        if since <= began < until:
            one.began(began, work.function, name)
        if since < began + work.runs_s <= until:
            one.ended(began + work.runs_s, work.function, name)


def test_functions_and_invocations_are_within_five_percent_of_what_they_took() -> None:
    known = run(lambda since, until, busy: CORE_W)
    idle_j = IDLE_W * MEMORY_SHARE * 200
    for row in known.book.view().functions:
        work = next(work for work in WORKS if work.function == row.function)
        assert row.run_j + row.kept_j == pytest.approx(known.computing_j[row.function] + idle_j, rel=0.05)
        each_j = work.runs_s * (work.computing * CORE_W + IDLE_W * MEMORY_SHARE)
        told = known.told[row.function]
        assert len(told) >= 200 / work.turn_s - 2
        assert sum(one.joules for one in told) / len(told) == pytest.approx(each_j, rel=0.05)


def test_each_long_invocation_is_within_what_it_says_of_what_it_took() -> None:
    known, work = run(lambda since, until, busy: CORE_W), WORKS[1]
    each_j = work.runs_s * (work.computing * CORE_W + IDLE_W * MEMORY_SHARE)
    assert all(abs(one.joules - each_j) <= one.error_j + 0.05 * each_j for one in known.told["long"])
    assert all(one.error_j < 0.1 * one.joules for one in known.told["long"])


def test_where_processors_slow_down_it_says_how_far_off_it_may_be() -> None:
    """Two at once take less each, as a machine that clocks down under load."""
    known = run(lambda since, until, busy: CORE_W * (1.0 if busy < 1.5 else 0.8))
    idle_j = IDLE_W * MEMORY_SHARE * 200
    for row in known.book.view().functions:
        off_j = abs(row.run_j + row.kept_j - known.computing_j[row.function] - idle_j)
        assert off_j <= row.error_j
        assert row.error_j < 0.35 * (row.run_j + row.kept_j)
