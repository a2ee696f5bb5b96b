"""The recount itself is checked: each of its sentences sees something that was broken on purpose."""

import ast
import traceback
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from attacca.gateway.core.async_calls import invariants
from attacca.gateway.core.async_calls.machine import AsyncCore
from attacca.gateway.core.async_calls.pending import READY, RUNNING, STORING, UNWRITTEN, Pending
from attacca.model.async_call import Posting, State, Update
from attacca.model.function import AsyncSettings
from tests.cases import each
from tests.gateway.core.async_calls.stage import BAD, Stage, keyed
from tests.gateway.play import revision

Break = Callable[[AsyncCore], object]
WHERE = "attacca/gateway/core/async_calls/invariants.py"


def busy() -> AsyncCore:
    """One pauses, two run, and one is ready."""
    stage = Stage(revision("f", async_=AsyncSettings(at_once=2, backoff_s=100.0)))
    stage.behave = lambda name, _: BAD if name == "a" else None
    for name in "abcd":
        stage.ask(name)
    stage.turn()
    return stage.core


def one(core: AsyncCore, name: str) -> Pending:
    return core.books.pending[name]


def put(owner: object, **what: object) -> None:
    for name, value in what.items():
        setattr(owner, name, value)


def end(core: AsyncCore, name: str, posting: Posting = Posting.NONE) -> None:
    pending = one(core, name)
    pending.call = msgspec.structs.replace(pending.call, state=State.DONE, posting=posting)


def let_run(core: AsyncCore, name: str) -> None:
    put(one(core, name), phase=READY)
    put(core.books.lanes["f"], running=1)
    core.books.lanes["f"].ready.append(one(core, name))


BROKEN: dict[str, Break] = {
    "kept under another name": lambda core: core.books.pending.update(x=core.books.pending.pop("a")),
    "over and still there": lambda core: end(core, "a"),
    "ready although it is over": lambda core: end(core, "d", Posting.WAITING),
    "nothing to write": lambda core: put(one(core, "a"), phase=UNWRITTEN),
    "stored twice": lambda core: put(one(core, "a"), phase=STORING, write=Update(one(core, "a").call)),
    "a count too many": lambda core: put(core.books.lanes["f"], count=5),
    "bytes too many": lambda core: put(core.books, bytes=1),
    "one runs that is not counted": lambda core: put(core.books.lanes["f"], running=1),
    "ready and in no line": lambda core: core.books.lanes["f"].ready.clear(),
    "one could run": lambda core: let_run(core, "b"),
    "nobody wakes it": lambda core: put(one(core, "a"), rings_at=1.0),
}  # fmt: skip


@each("name", BROKEN)
def test_what_is_broken_is_seen(name: str) -> None:
    core = busy()
    invariants.check(core)
    BROKEN[name](core)
    with pytest.raises(AssertionError):
        invariants.check(core)


def test_every_sentence_sees_something() -> None:
    seen = set()
    for breaks in BROKEN.values():
        core = busy()
        breaks(core)
        try:
            invariants.check(core)
        except AssertionError as error:
            seen.add(traceback.extract_tb(error.__traceback__)[-1].lineno)
    asserts = [node for node in ast.walk(ast.parse(Path(WHERE).read_text())) if isinstance(node, ast.Assert)]
    unseen = [
        node.lineno
        for node in asserts
        if not any(node.lineno <= line <= (node.end_lineno or 0) for line in seen if line)
    ]
    assert unseen == []


def test_running_ones_are_counted_apart_where_somebody_waits() -> None:
    stage = Stage()
    stage.behave = lambda _, __: None
    stage.ask("a", **keyed("k"))
    stage.turn()
    assert one(stage.core, "a").phase is RUNNING
    assert stage.core.books.lanes["f"].running == 0
    invariants.check(stage.core)
