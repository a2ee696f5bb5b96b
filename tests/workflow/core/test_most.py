"""`max_instances` is kept to at any time, also while some are ended, moved, and begun anew by another control."""

from collections import Counter
from collections.abc import Callable

import pytest

from attacca.worker.core.mailboxes import Stage as Life
from tests.workflow.core.late import LateStage, Story

SEEDS = 1
BEFALLS = ("move", "crash", "die", "join", "restart")
GONE = (Life.WAITING, Life.SETTLING)  # no sandbox of it is there


def of_component(stage: LateStage) -> Counter[str]:
    """How many instances of each there are on nodes, whatever they do."""
    there = (one for node in stage.nodes.values() for one in node.core.instances.by_id.values())
    return Counter(f"{one.start.workflow}.{one.start.component}" for one in there if one.stage not in GONE)


class Counted(LateStage):
    def check(self) -> None:
        super().check()
        most = {
            f"{workflow.root}.{one.name}": one.requires.max_instances
            for workflow in self.core.workflows.values()
            for one in workflow.spec.components
        }
        many = {name: count for name, count in of_component(self).items() if 0 < most.get(name, 0) < count}
        assert not many, many


def bounded(seed: int, steps: int = 30) -> None:
    Story(seed, BEFALLS, most=2, made=Counted).go(steps)


def bounded_and_guarded(seed: int, steps: int = 30) -> None:
    Story(seed, BEFALLS, standby=True, most=2, made=Counted).go(steps)


MOST = (bounded, bounded_and_guarded)


@pytest.mark.long
@pytest.mark.parametrize("law", MOST)
def test_there_are_never_more_of_a_component_than_its_most(law: Callable[[int], None]) -> None:
    for seed in range(SEEDS):
        law(seed)
