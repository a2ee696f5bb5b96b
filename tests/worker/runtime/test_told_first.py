import asyncio
from typing import Any

from attacca.model.invocation import Invocation, Request
from attacca.worker.runtime.told_first import ToldFirst


class Orders(list[str]):
    """A runtime that takes any order, and has no more of it than its name and whom it is for."""

    async def open(self, _: object) -> None:
        self.append("open")

    async def close(self) -> None:
        self.append("close")

    def __getattr__(self, name: str) -> Any:
        return lambda subject, *_: self.append(f"{name} {subject}")


def test_what_is_to_run_waits_for_a_turn_and_what_comes_meanwhile_keeps_its_place() -> None:
    orders, some = Orders(), Any

    async def main() -> None:
        runtime = ToldFirst(orders)
        await runtime.open(lambda _: None)
        runtime.make_sandbox("s1", some, None)  # type: ignore[arg-type]  # passed on as it is
        assert orders == ["open", "make_sandbox s1"], "nothing waits for nothing"
        runtime.run("s1", some, some)  # type: ignore[arg-type]  # passed on as it is
        runtime.body("s1", "i", b"", True)  # noqa: FBT003 - a Runtime's
        runtime.run("s2", some, some)  # type: ignore[arg-type]  # passed on as it is
        runtime.kill("s1")
        assert len(orders) == 2
        assert repr(runtime).startswith("<ToldFirst 4 orders wait for ")
        await asyncio.sleep(0)
        assert orders[2:] == ["run s1", "body s1", "run s2", "kill s1"]
        runtime.run("s3", some, some)  # type: ignore[arg-type]  # passed on as it is
        await runtime.close()
        assert orders[6:] == ["run s3", "close"]
        await asyncio.sleep(0)
        assert len(orders) == 8

    asyncio.run(main())


def test_what_a_gateway_of_the_process_wants_waits_for_nothing_but_its_turn() -> None:
    orders, some = Orders(), Any

    async def main() -> None:
        runtime = ToldFirst(orders, lambda invocation: invocation == "ours")
        ours, theirs = Invocation("ours", "f", "f-1", Request()), Invocation("theirs", "f", "f-1", Request())
        runtime.run("s1", some, ours)  # type: ignore[arg-type]  # passed on as it is
        assert orders == ["run s1"]
        runtime.run("s2", some, theirs)  # type: ignore[arg-type]  # passed on as it is
        runtime.run("s3", some, ours)  # type: ignore[arg-type]  # passed on as it is
        assert orders == ["run s1"]
        await asyncio.sleep(0)
        assert orders == ["run s1", "run s2", "run s3"]

    asyncio.run(main())
