"""What is recounted of sandboxes that control has ordered: each sentence sees something that was broken on purpose."""

import ast
import traceback
from collections.abc import Callable

import pytest

from attacca.model.endpoints import StartSandbox
from attacca.model.function import Scheduling
from attacca.worker.config import WorkerConfig
from attacca.worker.core import invariants
from attacca.worker.core.orders import Order
from attacca.worker.core.phases import Position
from attacca.worker.core.state import RevisionState, Sandbox
from attacca.worker.core.worker import WorkerCore
from tests.worker.stage import Stage
from tests.written import source_of

Break = Callable[[WorkerCore], object]


def busy() -> WorkerCore:
    """One is full, and somebody was refused; one rests, and one starts."""
    stage = Stage(WorkerConfig(memory_mb=1000, templates=False))
    f = stage.deploy("f", scheduling=Scheduling.CLUSTER)
    stage.order(f, "c1")
    stage.order(f, "c2")
    stage.play(10)
    stage.run_in("c1", f)
    stage.run_in("c1", f, peer="other")
    stage.order(f, "c3")
    return stage.core


def sandbox(core: WorkerCore, name: str = "c1") -> Sandbox:
    return core.pool.sandboxes[name]


def state(core: WorkerCore) -> RevisionState:
    return sandbox(core).state


def put(owner: object, **what: object) -> None:
    for name, value in what.items():
        setattr(owner, name, value)


def wait_although_it_is_there(core: WorkerCore) -> None:
    core.orders.waiting["c1"] = Order(StartSandbox("c1", "f", "f@1"), state(core), 0.0)


BREAKS: list[Break] = [
    wait_although_it_is_there,
    lambda core: put(sandbox(core, "c2"), is_ordered=False),
    lambda core: core.orders.items.clear(),
    lambda core: put(next(iter(core.orders.items.values())), position=Position.PENDING),
    lambda core: put(state(core), running=7),
    lambda core: core.orders.up.pop("c2"),
    lambda core: core.orders.refused.update(gone={}),
    lambda core: core.orders.refused.update(c2={"other": None}),
    lambda core: put(state(core), live=9),
    lambda core: put(state(core), starting=0),
    lambda core: state(core).free.append(sandbox(core, "c2")),
    lambda core: put(state(core), wanted=1),
]


def seen(break_it: Break) -> int:
    """The line that saw it."""
    core = busy()
    invariants.check(core)
    break_it(core)
    with pytest.raises(AssertionError) as caught:
        invariants.check(core)
    return next(
        frame.lineno
        for frame in reversed(traceback.extract_tb(caught.value.__traceback__))
        if str(source_of(invariants)).endswith(frame.filename) and frame.lineno is not None
    )


def test_each_sentence_can_see() -> None:
    tree = ast.parse(source_of(invariants).read_text())
    parts = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in ("_orders", "_ordered")]
    sentences = {
        node.lineno: ast.unparse(node.test) for part in parts for node in ast.walk(part) if isinstance(node, ast.Assert)
    }
    lines = {seen(break_it) for break_it in BREAKS}
    assert [text for line, text in sentences.items() if line not in lines] == []
