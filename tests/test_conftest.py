"""The guard around pure tests: it stops what it should, and lets event loops be."""

import asyncio
import os
import socket
import subprocess
import time
from collections.abc import Callable

import pytest


@pytest.mark.parametrize(
    ("attempt", "event"),
    [
        (lambda: time.sleep(0), "time.sleep"),
        (lambda: asyncio.run(asyncio.sleep(0.001)), "asyncio.sleep"),
        (lambda: socket.socket().connect(("127.0.0.1", 1)), "socket.connect"),
        (lambda: socket.socket().bind(("127.0.0.1", 0)), "socket.bind"),
        (lambda: subprocess.run(["true"], check=True), "subprocess.Popen"),
        (os.fork, "os.fork"),
    ],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_pure_test_may_not_touch_the_world(attempt: Callable[[], object], event: str) -> None:
    with pytest.raises(pytest.fail.Exception, match=event):
        attempt()


def test_a_pure_test_may_run_an_event_loop() -> None:
    asyncio.run(asyncio.sleep(0))
