"""Keys as they are pressed, without Enter, from a terminal; from anything else none come."""

import contextlib
import os
import select
import sys
import termios
import time
import tty
from collections.abc import Iterator


class Keys:
    """`descriptor`: a terminal; None: there is none."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def __repr__(self) -> str:
        return f"<Keys of {self._descriptor}>"

    def wait(self, seconds: float) -> str:
        """What is pressed within that time; empty: nothing. A key that is several signs, such as an arrow, is none."""
        if self._descriptor is None:
            time.sleep(seconds)  # noqa: TID251 - a person looks at it
            return ""
        if not select.select([self._descriptor], [], [], seconds)[0]:
            return ""
        pressed = os.read(self._descriptor, 1024).decode(errors="replace")
        return "" if pressed.startswith("\x1b") and len(pressed) > 1 else pressed


@contextlib.contextmanager
def keys() -> Iterator[Keys]:
    """Of standard input, whose terminal is afterwards as it was."""
    if not sys.stdin.isatty():
        yield Keys(None)
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield Keys(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
