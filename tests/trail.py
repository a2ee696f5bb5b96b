"""The walks that ARCHITECTURE.md describes, and the functions that a piece of work really enters."""

import contextlib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
CODE = f"{ROOT / 'attacca'}/"
WALK = re.compile(r"^\*\*(One [^*]+)\*\*[^\n]*\n\n((?:\d+\. .*\n)+)", re.MULTILINE)
STEP = re.compile(r"^\d+\. `([\w/]+\.py)` `([\w.]+)`: \S", re.MULTILINE)


class Step(NamedTuple):
    """`file` is under attacca/; `function` is named as it is in the file."""

    file: str
    function: str


def walks() -> Mapping[str, Sequence[Step]]:
    """By title, as they are written down."""
    written = WALK.findall((ROOT / "ARCHITECTURE.md").read_text())
    steps = {title: [Step(*step) for step in STEP.findall(lines)] for title, lines in written}
    assert [len(walk) for walk in steps.values()] == [lines.count("\n") for _, lines in written], "a line is no step"
    return steps


@contextlib.contextmanager
def trail() -> Iterator[list[Step]]:
    """What this thread enters of attacca meanwhile."""
    entered: list[Step] = []

    def look(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(CODE):
            entered.append(Step(code.co_filename[len(CODE) :], code.co_qualname))

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        yield entered
    finally:
        sys.setprofile(before)


def astray(walk: Sequence[Step], entered: Sequence[Step]) -> list[Step]:
    """The steps that were not entered after those before them."""
    lost, at = [], 0
    for step in walk:
        try:
            at = entered.index(step, at) + 1
        except ValueError:
            lost.append(step)
    return lost
