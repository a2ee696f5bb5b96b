"""What holds of a domain whatever befalls it; `tests/laws` tries more seeds."""

from collections.abc import Callable

import pytest

from tests.workflow.core.late import Story

SEEDS = 1


def moved(seed: int, steps: int = 25) -> None:
    """Nothing that was sent is lost, doubled or out of order by moves, on links that take their time."""
    story = Story(seed, ("move", "move"))
    story.go(steps)
    for component in ("b", "c"):
        assert flat(story, component) == list(range(story.sent)), component


def moved_unheard(seed: int, steps: int = 25) -> None:
    """Nor where control begins anew meanwhile."""
    story = Story(seed, ("move", "move", "restart"))
    story.go(steps)
    for component in ("b", "c"):
        assert flat(story, component) == list(range(story.sent)), component


def crashed(seed: int, steps: int = 25) -> None:
    """What had begun to be handled ends with a crash; all else comes, once, also what the crashed had sent on."""
    story = Story(seed, ("move", "crash"))
    story.go(steps)
    assert flat(story, "b") == list(range(story.sent))
    assert sorted(flat(story, "c")) == list(range(story.sent))


def crashed_unheard(seed: int, steps: int = 25) -> None:
    """The same where control begins anew meanwhile."""
    story = Story(seed, ("move", "crash", "restart"))
    story.go(steps)
    assert flat(story, "b") == list(range(story.sent))
    assert sorted(flat(story, "c")) == list(range(story.sent))


def died(seed: int, steps: int = 25) -> None:
    """Nothing whose sender lives is lost by the death of nodes; what the dead had handled may be handled again."""
    story = Story(seed, ("move", "die", "die", "join", "restart"))
    story.go(steps)
    by_instance = story.handled("b")
    for numbers in by_instance.values():
        assert numbers == sorted(set(numbers))
    assert {number for numbers in by_instance.values() for number in numbers} == set(range(story.sent))


def stood_by(seed: int, steps: int = 25) -> None:
    """The same where another one stands by, which takes over from what dies or crashes."""
    story = Story(seed, ("move", "die", "crash", "join", "restart"), standby=True)
    story.go(steps)
    by_instance = story.handled("b")
    for numbers in by_instance.values():
        assert numbers == sorted(set(numbers))
    assert {number for numbers in by_instance.values() for number in numbers} == set(range(story.sent))
    spares = [one for node in story.stage.nodes.values() for one in node.core.instances.by_id.values()]
    assert sum(one.start.is_standby for one in spares) <= 1, "no more than one stands by"


LAWS = (moved, moved_unheard, crashed, crashed_unheard, died, stood_by)


def flat(story: Story, component: str) -> list[int]:
    """What was handled, one instance after the other."""
    return [number for numbers in story.handled(component).values() for number in numbers]


@pytest.mark.long
@pytest.mark.parametrize("law", LAWS)
def test_a_domain_keeps_its_laws(law: Callable[[int], None]) -> None:
    for seed in range(SEEDS):
        law(seed)
