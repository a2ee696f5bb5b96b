"""A handler that runs for too long is interrupted."""

import math
import threading
from time import monotonic

import wasmtime


class Watch:
    """Of one engine, by a thread. Nobody wakes up for it while nothing runs."""

    def __init__(self, engine: wasmtime.Engine) -> None:
        self._engine = engine
        self._began = 0.0  # of what runs now, by the clock; 0: nothing
        self._limit_s = 1.0
        self._looks_at = math.inf  # when the thread looks next
        self._wake = threading.Semaphore(0)
        threading.Thread(target=self._watch, daemon=True).start()

    def __repr__(self) -> str:
        return f"<Watch for {self._limit_s:g} s, {'something' if self._began else 'nothing'} runs>"

    def begin(self, limit_s: float) -> None:
        now = monotonic()
        self._limit_s, self._began = limit_s, now
        if now + limit_s < self._looks_at:
            self._wake.release()

    def end(self) -> float:
        """Seconds that are left."""
        left, self._began = self._began + self._limit_s - monotonic(), 0.0
        return left

    def _watch(self) -> None:
        while True:
            began = self._began
            until = began + self._limit_s if began else math.inf
            if (left := until - monotonic()) <= 0:
                self._began = 0.0
                self._engine.increment_epoch()
                continue
            self._looks_at = until
            if self._began == began:  # else something has begun that may not have woken us
                self._wake.acquire(timeout=min(left, threading.TIMEOUT_MAX))
