from attacca.model.history import FunctionNow, HistoryTold, Step
from attacca.model.overview import Change, FunctionLoad, WorkerLoad, changed, history, overview
from attacca.model.resources import Resources
from attacca.model.sandbox import MachineLoad, WorkerView

LOAD = MachineLoad(cpu_share=0.123, load_1m=1.234, memory_free_mb=1, disk_free_mb=1, received_mb_s=0, sent_mb_s=0)
VIEW = WorkerView(
    name="w1", capacity=Resources(1000), used=Resources(300), queued=2, running=3, limit=4, cores=2, load=LOAD,
    idle={"f": 2, "g": 1},
)  # fmt: skip
F = FunctionNow(function="f", revision=1, waiting=1, running=2, ended=7, cold=1, took=((0, 9),))


def test_what_gateways_tell_is_one_view_and_who_says_nothing_is_in_it_too() -> None:
    told = [HistoryTold("1", functions=(F,), workers=(VIEW,)), HistoryTold("2", functions=(F,))]
    seen = overview(told, [("w1", False, True), ("w2", True, False)], ["g1", "g2"])
    assert seen.functions == (
        FunctionLoad(
            function="f", revision=1, waiting=2, running=4, ended=14, cold=2, failed=0, p50_ms=0.05, p99_ms=0.05
        ),
    )
    assert seen.workers == (
        WorkerLoad(
            name="w1", silent=False, draining=True, memory_mb=1000, used_mb=300, queued=2, running=3, limit=4, cores=2,
            idle=3, cpu_share=0.12, load_1m=1.23,
        ),
        WorkerLoad(name="w2", silent=True, draining=False),
    )  # fmt: skip
    assert (seen.waiting, seen.running, seen.gateways) == (2, 4, ("g1", "g2"))


def test_a_change_says_what_is_otherwise_and_nothing_else() -> None:
    before = overview([HistoryTold("1", functions=(F, FunctionNow(function="g", revision=1)))], [], ["g1"])
    assert changed(before, before) is None
    after = overview([HistoryTold("1", functions=(F, FunctionNow(function="h", revision=1)))], [], ["g1"])
    assert changed(before, after) == Change(functions=after.functions[1:], gone=("g",))
    busy = overview([HistoryTold("1", functions=before_busier())], [("w", False, False)], [])
    assert changed(before, busy) == Change(
        functions=busy.functions[:1], workers=(WorkerLoad(name="w", silent=False, draining=False),), gateways=(),
        running=5,
    )  # fmt: skip


def before_busier() -> tuple[FunctionNow, ...]:
    return (FunctionNow(function="f", revision=1, waiting=1, running=5), FunctionNow(function="g", revision=1))


def test_an_hour_has_percentiles_of_all_of_it_and_of_the_last_minute() -> None:
    steps = [Step(at=10.0 * (number + 1), warm=1, took=((40, 1),)) for number in range(20)]
    told = history([HistoryTold("1", steps=(*steps, Step(at=210.0, warm=50, took=((10, 50),))))], 10.0)
    assert len(told.steps) == 21
    assert told.steps[-1].p50_ms == told.p50_ms == told.lately[0]
    assert told.p99_ms == told.steps[0].p50_ms
    assert history([], 10.0).p50_ms is None
