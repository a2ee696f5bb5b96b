"""What thousands of functions did is told in turns of the loop; what is asked besides is told at once."""

import asyncio

from attacca.kernel.clock import ManualClock
from attacca.model.looks import LoadsTold
from attacca.model.messages import AskView, Viewed
from attacca.model.story import Recent
from attacca.worker.config import WorkerConfig
from attacca.worker.core.view import TURN
from attacca.worker.measuring import Measuring
from attacca.worker.showing import Showing, Told
from tests.worker.stage import Stage

TURNS = 2


def test_others_have_their_turns_while_all_functions_are_told() -> None:
    stage = Stage(WorkerConfig(memory_mb=1000))
    for number in range(TURNS * TURN):
        stage.deploy(f"f{number}")

    async def main() -> None:
        heard: list[Told] = []
        showing = Showing(stage.core, Measuring(), Recent(), ManualClock(), lambda _, told: heard.append(told))
        showing.tell("control", AskView("all"))
        assert (heard, repr(showing)) == ([], "<Showing worker, telling 1>")
        showing.tell("control", AskView("one", "f7"))
        showing.tell("control", AskView("none", ""))
        for _ in range(TURNS):
            await asyncio.sleep(0)
        views = [told for told in heard if not isinstance(told, LoadsTold)]
        assert [one.id for one in views] == ["one", "none", "all"]
        assert [len(one.view.functions) for one in views if isinstance(one, Viewed)] == [1, 0, TURNS * TURN]
        assert repr(showing) == "<Showing worker, telling 0>"

    asyncio.run(main())


def test_who_is_cordoned_shows_it_and_a_brief_view_has_no_lists() -> None:
    stage = Stage(WorkerConfig(memory_mb=1000))
    stage.deploy("f")
    showing = Showing(stage.core, Measuring(), Recent(), ManualClock(), lambda _, __: None)
    assert not showing.brief().draining
    showing.is_cordoned = True
    assert (showing.brief().draining, showing.brief().functions, showing.page().functions) == (True, (), ())
    assert [row.function for row in showing.whole().functions] == ["f"]
