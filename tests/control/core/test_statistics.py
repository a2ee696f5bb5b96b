from hypothesis import given
from hypothesis import strategies as st

from attacca.control.core.statistics import overall
from attacca.model.resources import Resources
from attacca.model.sandbox import FunctionView, Summary, WorkerView
from tests.drawing import Every, one


def worker(name: str, *functions: FunctionView) -> WorkerView:
    return WorkerView(
        name=name, capacity=Resources(1024), used=Resources(0), queued=0, running=0, limit=4, functions=functions
    )


def test_counts_of_all_workers_add_up_and_times_are_weighed() -> None:
    few = FunctionView(function="f", invocations=1, cold=1, idle=1, exec_ms=Summary(count=1, mean=9.0, max=9.0))
    many = FunctionView(function="f", invocations=3, warm=3, exec_ms=Summary(count=3, mean=1.0, max=2.0))
    found = overall([worker("a", FunctionView(function="g"), few), worker("b"), worker("c", many)], "f")
    times = Summary(count=4, mean=3.0, max=9.0)
    assert found == FunctionView(function="f", invocations=4, cold=1, warm=3, idle=1, exec_ms=times)


def test_nobody_has_seen_it() -> None:
    assert overall([worker("a", FunctionView(function="g"))], "f") is None
    assert overall([], "f") is None


SUMMARIES = Every(Summary, count=range(1, 5), mean=[1.0, 2.0, 5.0], p50=[1.0, 3.0], p99=[4.0, 9.0], max=[9.0, 11.0])


@given(st.lists(one(SUMMARIES), min_size=1, max_size=5))
def test_the_whole_lies_between_its_parts(parts: list[Summary]) -> None:
    found = overall([worker(f"w{n}", FunctionView(function="f", exec_ms=part)) for n, part in enumerate(parts)], "f")
    assert found is not None
    for name in ("mean", "p50", "p99"):
        values = [getattr(part, name) for part in parts]
        assert min(values) - 1e-9 <= getattr(found.exec_ms, name) <= max(values) + 1e-9
    assert found.exec_ms.count == sum(part.count for part in parts)
