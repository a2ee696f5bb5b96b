"""The worker's side of a sandbox, with nobody at the other end of its pipes but the test."""

import os

from attacca.guest import channel as wire
from attacca.kernel.budget import Budget
from attacca.worker.core.reports import RunEnded
from attacca.worker.runtime.process.sandbox import PER_S, REFUSED
from tests.fuzz.doors.frames import ALONE, MANY, RUNNING, Story
from tests.fuzz.framing import LARGEST, as_json, frame
from tests.fuzz.warped import Warped


def test_it_says_how_it_stands() -> None:
    loop = Warped()
    story = Story(loop, Budget(4 * LARGEST, 2 * LARGEST), ALONE)
    assert repr(story.sandbox).startswith("<SandboxProcess s starting, 1 running, <Link ")
    story._end()
    loop.close()


def ends_told(code: str) -> list[int]:
    """How many invocations have ended: at once, and as much later as it may take, when each ends with this code."""
    loop = Warped()
    story = Story(loop, Budget(4 * LARGEST, 2 * LARGEST), MANY)
    loop.wait(1.0)
    for number in range(1, RUNNING + 1):
        os.write(story.far_writer, frame(wire.BROKEN, number, as_json({"code": code, "message": "no"})))
    counts = []
    for seconds in (0.0, 1.1 * (RUNNING - 2) * REFUSED / PER_S):
        loop.wait(seconds)
        counts.append(sum(isinstance(one, RunEnded) for one in story.reports))
    story._end()
    loop.close()
    return counts


def test_who_only_says_what_nobody_can_be_sent_is_listened_to_slowly() -> None:
    """Not so where it is the client that asked for nonsense: others ask, too."""
    assert ends_told("bad_response") == [2, 3]
    assert ends_told("bad_request") == [RUNNING, RUNNING]
