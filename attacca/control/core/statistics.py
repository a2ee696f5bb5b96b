"""One function's statistics over all workers: what was counted adds up, what was measured is weighed by its count."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from attacca.model.sandbox import FunctionView, Summary, WorkerView

WEIGHED = ("mean", "ewma", "p50", "p95", "p99")  # percentiles are estimates then, each between the workers' own


def overall(workers: Iterable[WorkerView], function: str) -> FunctionView | None:
    """None: no worker has seen it. Gaps are those that the workers see, each of its own share."""
    views = [view for worker in workers for view in worker.functions if view.function == function]
    if len(views) < 2:
        return views[0] if views else None
    fields: dict[str, Any] = {"function": function}
    for name in FunctionView.__struct_fields__[1:]:
        told = [getattr(view, name) for view in views]
        fields[name] = _merged(told) if isinstance(told[0], Summary) else sum(told)
    return FunctionView(**fields)


def _merged(told: Sequence[Summary]) -> Summary:
    count = sum(one.count for one in told)
    if not count:
        return Summary()
    weighed = {name: sum(getattr(one, name) * one.count for one in told) / count for name in WEIGHED}
    return msgspec.structs.replace(Summary(**weighed), count=count, max=max(one.max for one in told))
