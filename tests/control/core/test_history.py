"""However deployments, rollbacks and deletions interleave, fail and are cut off: the catalogue is one that they come to
one after the other, in the order in which they became durable, and whoever was told that it is done finds it so."""

import contextlib
from collections.abc import Sequence

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from attacca.control.core.catalogue import KEPT_REVISIONS
from attacca.control.core.events import (
    DeleteAsked,
    DeployAsked,
    Drain,
    Erase,
    Put,
    ReaderLeft,
    RollbackAsked,
)
from attacca.control.core.progress import Done
from attacca.control.core.stored import FUNCTIONS, Function
from attacca.model.function import Revision
from attacca.model.messages import WorkerLeft
from attacca.model.resources import Resources
from attacca.model.sandbox import Capacity
from tests.control.stage import Crash, Stage, deploy

Ask = DeployAsked | RollbackAsked | DeleteAsked
NAMES = st.sampled_from(("a", "b"))
ASKS = st.one_of(
    st.builds(deploy, st.just(""), NAMES, min_sandboxes=st.integers(0, 3)),
    st.builds(RollbackAsked, st.just(""), NAMES, st.none() | st.integers(1, 4)),
    st.builds(DeleteAsked, st.just(""), NAMES),
)
WELL = st.integers(0, 3).map(lambda drawn: drawn == 3)  # most things go well
MOVES = st.lists(
    st.one_of(
        ASKS,
        st.tuples(st.just("end"), st.integers(0, 5), WELL),
        st.tuples(st.just("end"), st.integers(0, 5), WELL),
        st.tuples(st.just("leave"), st.integers(0, 5)),
        st.tuples(st.just("crash"), st.integers(0, 5), st.booleans()),
        st.sampled_from((("lose",), ("drain",))),
    ),
    max_size=60,
)


class Kept(msgspec.Struct, frozen=True):
    """What a function is for somebody who only hears of changes one after the other."""

    current: int
    revisions: tuple[int, ...]


class History:
    """A world that is played with, and the sequence of changes that explains it."""

    def __init__(self) -> None:
        self.stage = Stage(Capacity(resources=Resources(1000)))
        self.asked: dict[str, Ask] = {}
        self.kept: dict[str, Kept] = {}
        self.given: dict[str, int] = {}  # the largest number ever seen
        self.explained = len(self.stage.history)

    def __repr__(self) -> str:
        return f"<History {self.explained} changes, {self.stage!r}>"

    def move(self, move: object) -> None:
        match move:
            case DeployAsked() | RollbackAsked() | DeleteAsked():
                id_ = str(len(self.asked) + 1)
                self.asked[id_] = msgspec.structs.replace(move, id=id_)
                self.stage.feed(self.asked[id_])
            case ("end", int(at), bool(fails)) if self.stage.orders:
                self.stage.end(self.stage.orders[at % len(self.stage.orders)], fails=fails)
            case ("leave", int(at)) if self.asked:
                self.stage.feed(ReaderLeft(sorted(self.asked)[at % len(self.asked)]))
            case ("crash", int(after), bool(is_written)):
                self.crash(after, is_written=is_written)
            case ("lose",):
                self.stage.feed(WorkerLeft("w1"))
                self.stage.join("w1")
            case ("drain",):
                self.stage.feed(Drain())
                self.play()
                self.restart()
            case _:
                pass  # it does not apply

    def play(self) -> None:
        while self.stage.orders:
            self.stage.end(self.stage.orders[0])
            self.explain()

    def crash(self, after: int, *, is_written: bool) -> None:
        """In the middle of what comes of the next report; what was being written is durable then, or not."""
        self.stage.crash_after = after
        with contextlib.suppress(Crash):
            self.play()
        self.stage.crash_after = None
        for order in self.stage.orders:
            if is_written and isinstance(order, Put | Erase):
                self.stage.write(order)
        self.restart()

    def restart(self) -> None:
        """Whoever was deleted may have its old numbers again: no worker has anything of them."""
        self.explain()
        self.stage.start()
        self.given = {name: one.revisions[-1] for name, one in self.kept.items()}

    def explain(self) -> None:
        """Take what has become durable since, and compare."""
        for id_, key in self.stage.history[self.explained :]:
            if key.startswith(FUNCTIONS):
                self._follow(self.asked[id_], key.removeprefix(FUNCTIONS))
        self.explained = len(self.stage.history)
        stored = {function.name: kept(function) for function, _ in self.stage.functions()}
        assert stored == self.kept, "no sequence of changes comes to this"

    def _follow(self, ask: Ask, name: str) -> None:
        before = self.kept.get(name)
        match ask:
            case DeployAsked():
                [number] = [one.current for one, _ in self.stage.functions() if one.name == name]
                assert number > self.given.get(name, 0), "a number is given twice"
                self.given[name] = number
                revisions = (*(before.revisions if before else ()), number)[-KEPT_REVISIONS:]
                self.kept[name] = Kept(number, revisions)
            case RollbackAsked(to=to):
                assert before is not None, "what is not there was rolled back"
                to = to if to is not None else max(one for one in before.revisions if one < before.current)
                assert to in before.revisions
                assert to != before.current
                self.kept[name] = Kept(to, before.revisions)
            case DeleteAsked():
                del self.kept[name]

    def expect_told(self) -> None:
        """Whoever was told that it is done has changed something, and nobody else has, but by a crash."""
        durable = [id_ for id_, key in self.stage.history if key.startswith(FUNCTIONS)]
        assert len(set(durable)) == len(durable), "done twice"
        for id_, reply in self.stage.replies.items():
            if id_ in self.asked:
                is_done = reply is None or isinstance(reply, Done | Revision)
                assert is_done == (id_ in durable), f"{id_} was told {reply}"


def kept(function: Function) -> Kept:
    return Kept(function.current, tuple(revision.number for revision in function.revisions))


@given(MOVES)
def test_what_has_become_of_it_is_what_a_sequence_of_changes_comes_to(moves: Sequence[object]) -> None:
    history = History()
    for move in moves:
        history.move(move)
        history.explain()
        history.expect_told()
    history.play()
    history.expect_told()
    assert history.stage.core.is_at_rest()
    known = history.stage.core.changes.catalogue
    assert {name: kept(known.get(name)) for name in known.names()} == history.kept
