"""The worker's side of a sandbox, with nobody at the other end of its pipes but the test."""

from attacca.kernel.budget import Budget
from tests.fuzz.doors.frames import ALONE, Story
from tests.fuzz.framing import LARGEST
from tests.fuzz.warped import Warped


def test_it_says_how_it_stands() -> None:
    loop = Warped()
    story = Story(loop, Budget(4 * LARGEST, 2 * LARGEST), ALONE)
    assert repr(story.sandbox).startswith("<SandboxProcess s starting, 1 running, <Link ")
    story._end()
    loop.close()
