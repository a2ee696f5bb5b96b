"""Which container waits for whom: of each revision that was started last one, as far as there is room."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from attacca.kernel.clock import ManualClock
from attacca.model.function import Image, Network, Revision, SecretAs, Settings, Signature
from attacca.worker.runtime.container.ahead import ContainersAhead, may_wait
from attacca.worker.runtime.container.sandbox import Container


def revision(function: str, number: int = 1) -> Revision:
    return Revision(
        function=function, number=number, settings=Settings(name=function), handler="", signature=Signature.WSGI,
        artefact=Image("a"),
    )  # fmt: skip


class Made:
    """What was asked of a runtime."""

    def __init__(self) -> None:
        self.all: list[Container] = []
        self.dropped: list[str] = []

    def __repr__(self) -> str:
        return f"<Made {len(self.all)}>"

    def make(self, name: str, of: Revision) -> Container:
        self.all.append(Container(name, of, ManualClock(), lambda _: None, lambda *_: None))
        return self.all[-1]

    def pool(
        self, most: int | None, engine: str = "crun", file: Path | None = None, *, can_wait: bool = True
    ) -> ContainersAhead:
        made = ContainersAhead(most, self.make, lambda one: self.dropped.append(one.name), file)
        made.open(engine, can_wait=can_wait)
        return made

    def close(self) -> None:
        for one in self.all:
            one.close()


def on_a_loop(check: Callable[[Made], None]) -> None:
    async def main() -> None:
        made = Made()
        check(made)
        made.close()

    asyncio.run(main())


def test_the_one_that_was_created_is_whos_next() -> None:
    def check(made: Made) -> None:
        ahead = made.pool(2)
        ahead.want(revision("f"))
        assert ahead.take(revision("f")) is None, "it is not there yet"
        made.all[0].was_created()
        assert ahead.take(revision("g")) is ahead.take(revision("f", 2)) is None
        found = msgspec.structs.replace(revision("f"), handler="found")
        assert ahead.take(found) is made.all[0]
        assert (ahead.take(found), repr(ahead)) == (None, "<ContainersAhead 0 of 2 containers>")
        ahead.want(revision("f"))
        ahead.want(revision("f"))
        assert len(made.all) == 2, "it is there"
        made.all[1].was_created()
        made.all[1].is_doomed = True
        assert ahead.take(found) is None
        ahead.close()
        assert made.dropped == []

    on_a_loop(check)


def test_there_is_one_for_each_of_those_that_were_started_last() -> None:
    def check(made: Made) -> None:
        ahead = made.pool(2)
        for one in ("f", "g", "f", "h"):
            ahead.want(revision(one))
        assert made.dropped == ["ahead-2"], "of g"
        ahead.want(revision("h", 2))
        assert made.dropped == ["ahead-2", "ahead-4"], "of an older revision"
        ahead._expire("f")  # as after a while
        assert made.dropped[2:] == ["ahead-1"]
        ahead.close()
        ahead.want(revision("f"))
        assert len(made.all) == 4

    on_a_loop(check)


def test_none_waits_where_none_is_to_or_can() -> None:
    def check(made: Made) -> None:
        pools = [made.pool(0), made.pool(None), made.pool(3, can_wait=False), made.pool(None, "runsc")]
        for pool in pools:
            pool.want(revision("f"))
            pool.close()
        assert [repr(pool) for pool in pools] == ["<ContainersAhead 0 of 0 containers>"] * 4
        assert len(made.all) == 1, "of gVisor, whose kernel takes long"

    on_a_loop(check)


def test_who_is_told_something_anew_at_each_start_has_none() -> None:
    plain = Settings(name="f")
    others: list[dict[str, Any]] = [{"secrets": {"KEY": SecretAs.ENV}}, {"network": Network.HOST}, {"gpu": 1}]
    changed = [plain, *(msgspec.structs.replace(plain, **other) for other in others)]
    asked = [may_wait(msgspec.structs.replace(revision("f"), settings=settings)) for settings in changed]
    assert asked == [True, False, False, False]


def test_the_next_server_knows_of_which_there_were_some(tmp_path: Path) -> None:
    def check(made: Made) -> None:
        file = tmp_path / "ahead.json"
        ahead = made.pool(2, file=file)
        assert ahead.remembered() == ()
        for one in ("f", "g", "h"):
            ahead.want(revision(one))
        ahead.close()
        assert made.pool(2, file=file).remembered() == (revision("g"), revision("h"))
        assert made.pool(0, file=file).remembered() == ()
        ahead = made.pool(1, file=file)
        ahead.want(revision("f"))
        ahead._expire("f")
        assert made.pool(2, file=file).remembered() == ()
        file.write_text("[1]")
        assert made.pool(2, file=file).remembered() == ()
        assert made.pool(2, file=tmp_path / "none" / "ahead.json").remembered() == ()

    on_a_loop(check)


def test_who_waits_for_one_hears_when_it_is_there_and_when_it_will_not_be() -> None:
    async def main() -> None:
        made = Made()
        ahead = made.pool(2)
        await ahead.there("f")
        for one in ("f", "g"):
            ahead.want(revision(one))
        waiting = [asyncio.create_task(ahead.there(one)) for one in ("f", "g")]
        await asyncio.sleep(0)
        assert not any(task.done() for task in waiting)
        made.all[0].was_created()
        made.all[1].close()
        await asyncio.gather(*waiting)
        ahead.close()
        made.close()

    asyncio.run(main())
