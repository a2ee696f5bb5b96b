"""What asks control who minds the schedules, and the name of a journal."""

import asyncio
from pathlib import Path

import pytest

from attacca.errors import StateUnavailable
from attacca.gateway.core.async_calls.events import Minded
from attacca.gateway.minding import Minding, journal_name
from attacca.kernel.clock import ManualClock
from attacca.model.async_call import Advance, Delete, Mark
from attacca.model.journals import AskMinding, MindingTold


def test_it_asks_at_once_and_tells_what_is_written() -> None:
    async def main() -> None:
        fed, asked, marks = list[Minded](), asyncio.Queue[AskMinding](), list[Mark]()
        minding = Minding("one", lambda: tuple(marks), fed.append, asked.put_nowait, ManualClock(100.0))
        minding.open()
        assert fed == [Minded(float("-inf"))]
        first = await asked.get()
        minding.hear(MindingTold(first.id, is_yours=True, fence=3))
        assert fed[1:] == [Minded(148.0, (), 0.0)]
        assert repr(minding) == "<Minding <MindingCore until 148: fence 3, 1 asked>>"
        marks.append(Mark("f", 5.0))
        minding.wrote(Delete("a call"))
        minding.wrote(Advance(marks[0]))
        minding.wrote(Advance(marks[0]))
        assert await asked.get() == AskMinding("2", "one", 3, (Mark("f", 5.0),))
        minding.end()
        minding.wrote(Advance(marks[0]))
        assert (await asked.get()).id == "3", "also when it ends"
        minding.end()
        assert asked.empty()

    asyncio.run(main())


def test_a_journal_has_a_name_of_its_own(tmp_path: Path) -> None:
    name = journal_name(tmp_path / "calls.db")
    assert len(name) == 32
    assert journal_name(tmp_path / "calls.db") == name
    assert journal_name(tmp_path / "calls-0.db") != name
    assert sorted(path.name for path in tmp_path.iterdir()) == ["calls-0.name", "calls.name"]
    with pytest.raises(StateUnavailable, match="cannot be kept"):
        journal_name(tmp_path / "nowhere" / "calls.db")
