"""What a benchmark's workflows are made of."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import msgspec

from attacca.client.workflow_file import WorkflowSource

FUNCTIONS = Path(__file__).parent / "functions"
SINK = "sink"
Template = Literal["chain", "map_reduce"]


class Graph(msgspec.Struct, frozen=True, kw_only=True):
    """`length`: of a chain, from the source to the sink. `width`: functions between these in a map_reduce."""

    template: Template = "chain"
    length: int = 3
    width: int = 3
    interval_s: float = 0.1  # between two events of one workflow
    busy_ms: float = 0.0  # that each function between source and sink computes
    bytes: int = 100  # of an event
    memory_mb: int = 64  # of each function


def source_of(graph: Graph, name: str) -> WorkflowSource:
    between = [f"relay{number}" for number in range(1, _between(graph) + 1)]
    if graph.template == "chain":
        order = ["source", *between, SINK]
        leads = {one: [after] for one, after in pairwise(order)} | {SINK: []}
    else:
        leads = {"source": between, **{one: [SINK] for one in between}, SINK: []}
    needs = len(between) if graph.template == "map_reduce" else 1
    told = {"interval_s": graph.interval_s, "bytes": graph.bytes, "busy_ms": graph.busy_ms, "needs": needs}
    components: list[dict[str, Any]] = [
        {
            "name": one,
            "memory_mb": graph.memory_mb,
            "payload": json.dumps(told),
            "outputs": {"to": {"to": targets}} if targets else {},
        }
        for one, targets in leads.items()
    ]
    code = {one: FUNCTIONS / f"{one.rstrip('0123456789')}.py" for one in leads}
    return WorkflowSource(name, tuple(components), code)


def _between(graph: Graph) -> int:
    return max(graph.length - 2, 0) if graph.template == "chain" else graph.width
