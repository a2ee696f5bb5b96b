"""A trace in memory, and a scenario in a few words."""

from collections.abc import Iterator
from typing import Any

import polars as pl

from attacca.load.traces.types import FUNCTION_SCHEMA, INVOCATION_SCHEMA
from attacca.load.workload.scenario import FunctionPlan, Scenario, Workload


class MemoryTrace:
    """Invocations as (arrival, function, milliseconds), in chunks of three."""

    def __init__(self, names: list[str], rows: list[tuple[float, int, float]], length_s: float) -> None:
        self.length_s, self.notes = length_s, tuple[str, ...]()
        self.rows = rows
        columns = (names, ["app"] * len(names), ["timer"] * len(names), [64] * len(names), [7.0] * len(names))
        values = dict(zip(FUNCTION_SCHEMA, (*columns, [1] * len(names)), strict=True))
        self.functions = pl.DataFrame(values, schema=FUNCTION_SCHEMA)

    def invocations(self) -> Iterator[pl.DataFrame]:
        for at in range(0, len(self.rows), 3):
            yield pl.DataFrame(self.rows[at : at + 3], schema=INVOCATION_SCHEMA, orient="row")


def scenario(*functions: FunctionPlan, seed: int = 1, **workload: Any) -> Scenario:
    settings = {"duration_s": 10.0, **workload}
    return Scenario(name="small", seed=seed, workload=Workload(**settings), functions=functions)
