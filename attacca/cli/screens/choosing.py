"""What a person who watches has chosen to see, by options and by keys, and how it has gone meanwhile."""

from collections import deque
from enum import StrEnum
from typing import Any, Final

import msgspec

from attacca.cli.screens.machines import curve

LOOKS: Final = 20  # that a curve goes back
TYPED_MOST: Final = 60
KEYS: Final = "s: sort by the next, r: the other way round, /: find, Esc: all, q: end"


class Sort(StrEnum):
    """By what functions are sorted, in the order of the key."""

    RUNNING = "running"
    NAME = "name"
    QUEUED = "queued"
    INVOKED = "invoked"
    COLD = "cold"
    ERRORS = "errors"
    P50 = "p50"
    P99 = "p99"


SORTS: Final = tuple(Sort)


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """`is_typing`: keys are letters of `find`."""

    sort: Sort = Sort.RUNNING
    is_reversed: bool = False
    find: str = ""
    is_typing: bool = False
    is_over: bool = False

    def press(self, key: str) -> "Chosen":
        """After a key; one that means nothing changes nothing."""
        change = msgspec.structs.replace
        if key == "\x1b":
            return change(self, find="", is_typing=False)
        if self.is_typing:
            if key in ("\r", "\n"):
                return change(self, is_typing=False)
            if key in ("\x7f", "\b"):
                return change(self, find=self.find[:-1])
            return change(self, find=(self.find + key)[:TYPED_MOST]) if key.isprintable() else self
        match key:
            case "s":
                return change(self, sort=SORTS[(SORTS.index(self.sort) + 1) % len(SORTS)], is_reversed=False)
            case "r":
                return change(self, is_reversed=not self.is_reversed)
            case "/":
                return change(self, is_typing=True)
            case "q":
                return change(self, is_over=True)
            case _:
                return self

    def arranged(self, functions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Those whose names have in them what is looked for: the largest first, by name where they are the same."""
        found = sorted((row for row in functions if self.find in row["function"]), key=lambda row: row["function"])
        if self.sort is not Sort.NAME:
            found.sort(key=self._height, reverse=not self.is_reversed)
        elif self.is_reversed:
            found.reverse()
        return found

    def _height(self, row: dict[str, Any]) -> tuple[float, ...]:
        match self.sort:
            case Sort.P50 | Sort.P99:
                return (row["exec_ms"][self.sort],)
            case Sort.INVOKED:
                return (row["invocations"],)
            case Sort.RUNNING:
                return row["running"], row["invocations"]
            case _:
                return (row[self.sort],)

    def holds(self, revision: str) -> bool:
        """Is a sandbox of it to be shown?"""
        return self.find in revision.rpartition("@")[0]

    def line(self) -> str:
        order = f"by {self.sort}{', reversed' if self.is_reversed else ''}"
        sought = f" · find {self.find}{'_' if self.is_typing else ''}" if self.find or self.is_typing else ""
        return f"{order}{sought} · {KEYS}"


class Past:
    """What functions were invoked between one look and the next."""

    def __init__(self) -> None:
        self._before: dict[str, int] = {}
        self._counts: dict[str, deque[int]] = {}

    def __repr__(self) -> str:
        return f"<Past of {len(self._counts)} functions>"

    def see(self, functions: list[dict[str, Any]]) -> None:
        """One look. Counters that jump back began anew."""
        now = {row["function"]: int(row["invocations"]) for row in functions}
        for name in [name for name in self._counts if name not in now]:
            del self._counts[name]
        for name, count in now.items():
            before = self._before.get(name, count)
            self._counts.setdefault(name, deque(maxlen=LOOKS)).append(count - before if count >= before else count)
        self._before = now

    def curve(self, name: str) -> str:
        """The latest look last, as high as the highest of its own."""
        counts = self._counts.get(name, ())
        return curve([float(count) for count in counts], max(1, *counts) if counts else 1).rjust(LOOKS)


def hour(history: dict[str, Any], width: int) -> str:
    """Invocations and p99 of the last hour, step by step, and how many began cold; empty: there is nothing yet."""
    steps = history["steps"]
    if not steps:
        return ""
    kinds = ("warm", "prewarmed", "template", "cold", "unborn")
    ended = [float(sum(step[kind] for kind in kinds)) for step in steps]
    tail = [step["p99_ms"] or 0.0 for step in steps]
    cold = sum(step["cold"] + step["template"] for step in steps)
    share = f" · {cold / sum(ended):.1%} cold" if sum(ended) else ""
    p50 = "" if history["p50_ms"] is None else f" · p50 {history['p50_ms']:,.3g} ms"
    p99 = "" if history["p99_ms"] is None else f" · p99 {_told(tail, width)} {history['p99_ms']:,.3g} ms"
    return f"hour {_told(ended, width)} {sum(ended):,.0f} invocations{share}{p50}{p99}"


def _told(values: list[float], width: int) -> str:
    """The highest of each part, of so many parts."""
    each = -(-len(values) // width)
    parts = [max(values[at : at + each]) for at in range(0, len(values), each)]
    return curve(parts, max(*parts, 1e-9) if len(parts) > 1 else max(parts[0], 1e-9))
