"""What must hold after every event, counted anew from what there is; tests ask for it."""

from collections import Counter
from math import inf

from attacca.gateway.core.async_calls.machine import AsyncCore
from attacca.gateway.core.async_calls.pending import READY, RUNNING, STORING, TIMED, UNWRITTEN, WRITING, Books
from attacca.model.async_call import Accept, State


def check(core: AsyncCore) -> None:
    """
    Raises:
        AssertionError: something that must always hold does not.
    """
    _lanes(core)
    _times(core.books)
    for name, one in core.books.pending.items():
        call = one.call
        assert call.id == name, f"{call.id} is kept as {name}"
        assert call.is_open or one.phase in (WRITING, UNWRITTEN), f"{one!r} is over, and still {call.state.value}"
        assert one.phase not in (READY, RUNNING) or call.state is State.WAITING, f"{one!r} is {call.state.value}"
        has_write = one.write is not None
        assert has_write or one.phase not in (UNWRITTEN,), f"{one!r} has nothing to write"
        assert one.phase is not STORING or not has_write or isinstance(one.write, Accept), f"{one!r} is stored already"


def _lanes(core: AsyncCore) -> None:
    books = core.books
    count = Counter(one.call.function for one in books.pending.values())
    running = Counter(one.call.function for one in books.pending.values() if one.phase is RUNNING and one.takes_turns)
    assert {name: lane.count for name, lane in books.lanes.items()} == count, f"{books!r} has {count}"
    assert books.bytes == sum(one.call.size for one in books.pending.values()), f"{books!r} is wrong by its bytes"
    for name, lane in books.lanes.items():
        assert lane.running == running[name], f"{running[name]} of {name} run, and {lane!r}"
        ready = [one for one in lane.ready if one.phase is READY and books.pending.get(one.call.id) is one]
        named = [one for one in books.pending.values() if one.call.function == name and one.phase is READY]
        assert len(ready) == len(named), f"{len(named)} of {name} are ready, and {len(ready)} in its line"
        at_once = core.at_once(name)
        assert not ready or core.is_draining or lane.running >= at_once, f"{name}: {ready[0]!r} could run"


def _times(books: Books) -> None:
    waiting = [one.rings_at for one in books.pending.values() if one.phase in TIMED and one.rings_at < inf]
    assert books.rings_at <= min(waiting, default=inf), f"{books!r} rings too late"
