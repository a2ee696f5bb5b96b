"""What holds of a domain whatever befalls it; `tests/laws` tries more seeds."""

import pytest

from tests.workflow.core.late import Story

SEEDS = 3


def moved(seed: int, steps: int = 25) -> None:
    """Nothing that was sent is lost, doubled or out of order by moves, slow links, and controls that begin anew."""
    story = Story(seed, ("move", "move", "restart"))
    story.go(steps)
    for component in ("b", "c"):
        by_instance = story.handled(component)
        assert [number for numbers in by_instance.values() for number in numbers] == list(range(story.sent)), component


def crashed(seed: int, steps: int = 25) -> None:
    """No more is lost by crashes than what was being handled, and nothing is doubled."""
    story = Story(seed, ("move", "crash", "restart"))
    story.go(steps)
    for component, lost in (("b", 0), ("c", story.crashes * 2)):
        numbers = [number for numbers in story.handled(component).values() for number in numbers]
        assert numbers == sorted(set(numbers)), f"{component}: doubled, or out of order"
        assert story.sent - len(numbers) <= lost, component


def died(seed: int, steps: int = 25) -> None:
    """Nothing whose sender lives is lost by the death of nodes; what the dead had handled may be handled again."""
    story = Story(seed, ("move", "die", "die", "join", "restart"))
    story.go(steps)
    by_instance = story.handled("b")
    for numbers in by_instance.values():
        assert numbers == sorted(set(numbers))
    assert {number for numbers in by_instance.values() for number in numbers} == set(range(story.sent))


@pytest.mark.parametrize("law", [moved, crashed, died])
def test_a_domain_keeps_its_laws(law: object) -> None:
    for seed in range(SEEDS):
        law(seed)  # type: ignore[operator]
