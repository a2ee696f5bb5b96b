"""How long a test waits at most for what has to come, and what goes on meanwhile.

PATIENCE=3 waits three times as long, on a slow machine, and lets servers do so where a test sets what they wait.
"""

import os
import threading
from collections.abc import Callable
from typing import Any

FACTOR = float(os.environ.get("PATIENCE", "1"))
PATIENCE_S = 20.0 * FACTOR
ASK_S = 1.5 * PATIENCE_S  # for an answer
NAP_S = 0.01  # before it looks again


def patiently(seconds: float) -> float:
    """What a test sets as a limit of a server's for something that a slow machine does slowly, in seconds."""
    return seconds * FACTOR


IMPORT_S = patiently(30.0)  # that a server waits for the import of a function


class Later(threading.Thread):
    """Something that takes a while, and what came of it."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._result: Any = None
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self._result = self._work()
        except BaseException as error:  # noqa: BLE001 - raised where it is asked for
            self._error = error

    def result(self) -> Any:
        self.join(PATIENCE_S)
        assert not self.is_alive(), "it takes too long"
        if self._error is not None:
            raise self._error
        return self._result
