"""The suite that every mirror's database passes: `await check_glass(make)`. `Peek` is the world's hand on it."""

from collections.abc import Callable
from typing import Protocol

from attacca.workflow.mirror.types import VALUE_MOST, Glass, Popped
from attacca.workflow.mirror.writes import Append, Drop, Score, Set, Write

KEEP_S = 100.0


class Peek(Protocol):
    """What others do with the same database, by whole names of keys."""

    async def get(self, key: str) -> object:
        """A text, a list of texts, a dict of scores by member, or None."""

    async def set(self, key: str, value: str) -> None: ...
    async def push(self, key: str, value: str) -> None: ...
    async def empty(self) -> None: ...


Factory = Callable[[str], tuple[Glass, Peek]]  # of an empty database, with that prefix


async def check_glass(make: Factory) -> None:
    """
    Raises:
        AssertionError: it does not do what `types.Glass` says.
    """
    for check in (_texts, _series, _ours, _runs, _intents, _refusals):
        for prefix in ("", "home:"):
            glass, peek = make(prefix)
            await peek.empty()
            try:
                await check(glass, peek, prefix)
            finally:
                await glass.close()


async def _texts(glass: Glass, peek: Peek, prefix: str) -> None:
    await glass.begin("1")
    assert await glass.write("1", [Set(f"{prefix}a", "1"), Set(f"{prefix}b", "ü\x00")], KEEP_S) == 0
    assert (await peek.get(f"{prefix}a"), await peek.get(f"{prefix}b")) == ("1", "ü\x00")
    assert await glass.write("1", [Drop(f"{prefix}a"), Set(f"{prefix}b", "2"), Drop(f"{prefix}c")], KEEP_S) == 0
    assert (await peek.get(f"{prefix}a"), await peek.get(f"{prefix}b")) == (None, "2")
    assert await glass.write("1", [], KEEP_S) == 0


async def _series(glass: Glass, peek: Peek, prefix: str) -> None:
    await glass.begin("1")
    await glass.write("1", [Append(f"{prefix}l", "a"), Append(f"{prefix}l", "b"), Append(f"{prefix}l", "a")], KEEP_S)
    assert await peek.get(f"{prefix}l") == ["a", "b", "a"]
    told = [Score(f"{prefix}z", "a", 1000.5), Score(f"{prefix}z", "b", 1050.0), Score(f"{prefix}z", "a", 1060.25)]
    await glass.write("1", told, KEEP_S)
    assert await peek.get(f"{prefix}z") == {"b": 1050.0, "a": 1060.25}, "what is there already only has another time"
    await glass.write("1", [Score(f"{prefix}z", "c", 1155.0)], KEEP_S)
    assert await peek.get(f"{prefix}z") == {"a": 1060.25, "c": 1155.0}, "what is old is gone"


async def _ours(glass: Glass, peek: Peek, prefix: str) -> None:
    assert await glass.begin("1") == {}
    await peek.set("somebody", "else")
    told: list[Write] = [
        Set(f"{prefix}a", "1"),
        Set(f"{prefix}b", "1"),
        Score(f"{prefix}z", "m", 1.0),
        Drop(f"{prefix}b"),
    ]
    told += [Score(f"{prefix}f", "m", 1.0, is_fleeting=True), Append(f"{prefix}l", "x")]
    await glass.write("1", told, KEEP_S)
    assert await glass.begin("2") == {f"{prefix}a": "string", f"{prefix}z": "zset"}
    assert await peek.get("somebody") == "else"


async def _runs(glass: Glass, peek: Peek, prefix: str) -> None:
    await glass.begin("1")
    await glass.begin("2")
    assert await glass.write("1", [Set(f"{prefix}a", "1")], KEEP_S) is None
    assert await peek.get(f"{prefix}a") is None
    assert await glass.write("2", [Set(f"{prefix}a", "2")], KEEP_S) == 0
    await peek.empty()
    assert await glass.write("2", [Set(f"{prefix}a", "3")], KEEP_S) is None, "it has forgotten who writes"
    assert await glass.begin("2") == {}


async def _intents(glass: Glass, peek: Peek, prefix: str) -> None:
    await glass.begin("1")
    assert await glass.pop() is None
    await peek.set(f"{prefix}intent:migrate:a", "n1")
    await peek.set(f"{prefix}intent:cordon:n", "x" * (VALUE_MOST + 10))
    await peek.set(f"{prefix}other", "stays")
    for key in ("intent:migrate:a", "other", "intent:migrate:a", "intent:cordon:n", "intent:migrate:late"):
        await peek.push(f"{prefix}intents", f"{prefix}{key}")
    assert await glass.pop() == Popped(b"intent:migrate:a", b"n1")
    assert await peek.get(f"{prefix}intent:migrate:a") is None
    assert await glass.pop() == Popped(b"other", None), "no value of what is no intent is read"
    assert await peek.get(f"{prefix}other") == "stays"
    assert await glass.pop() == Popped(b"intent:migrate:a", None), "of two with one key there is one value"
    assert await glass.pop() == Popped(b"intent:cordon:n", b"x" * (VALUE_MOST + 1))
    assert await glass.pop() == Popped(b"intent:migrate:late", None)
    assert await glass.pop() is None
    await peek.set(f"{prefix}intent:migrate:late", "n2")
    assert await glass.take(b"intent:migrate:late") == b"n2"
    assert await glass.take(b"intent:migrate:late") is None
    assert await glass.take(b"other") is None


async def _refusals(glass: Glass, peek: Peek, prefix: str) -> None:
    """What others have of another kind under our names is theirs, and the rest is written all the same."""
    await glass.begin("1")
    await peek.set(f"{prefix}z", "a text")
    await peek.set(f"{prefix}intents", "no list")
    told: list[Write] = [Score(f"{prefix}z", "m", 1.0), Append(f"{prefix}z", "x"), Set(f"{prefix}a", "1")]
    assert await glass.write("1", told, KEEP_S) == 2
    assert (await peek.get(f"{prefix}z"), await peek.get(f"{prefix}a")) == ("a text", "1")
    assert await glass.pop() is None
