"""What holds something says in one line how much."""

import asyncio
import io
from pathlib import Path

from attacca.control.config import ArchiveLimits, ControlConfig
from attacca.control.core.archive import Intake, Item
from attacca.control.core.events import Swept
from attacca.control.core.form import Form
from attacca.control.core.packages.requirements import Reading
from attacca.control.core.progress import Step
from attacca.control.deploy.build import Builder, ProgressStream
from attacca.control.deploy.reception import Reception, Upload
from attacca.control.deploy.state import StateDir
from attacca.control.driver import Control
from attacca.control.http.context import ApiContext
from attacca.control.leadership import Leader, Leadership
from attacca.control.orders import Orders
from attacca.control.secrets import Secrets
from attacca.control.supplies import Supplies
from attacca.control.tokens import Tokens
from attacca.io.store.memory import MemoryStore
from attacca.io.store.types import Store
from attacca.io.vault.memory import MemoryVault
from attacca.kernel.clock import ManualClock
from attacca.kernel.rand import Streams


def test_what_arrives_and_is_read() -> None:
    form = Form("x")
    assert repr(form) == "<Form before, 2 bytes held>"
    form.feed(b"--x--")
    assert repr(form) == "<Form over, 0 bytes held>"
    intake = Intake(ArchiveLimits())
    intake.take(Item("a.py", "file", 3))
    assert repr(intake) == "<Intake 1 entries, 1 files, 3 bytes>"
    reading = Reading(lambda _: None, allow_source_builds=False)
    reading.take("numpy\n", "requirements.txt")
    assert repr(reading) == "<Reading 1 files, 1 requirements, 0 constraints>"


def test_what_is_kept_of_a_deployment(tmp_path: Path) -> None:
    async def main() -> None:
        stream = ProgressStream()
        stream.say(Step("check", "x"))
        assert repr(stream) == "<ProgressStream 1 unread>"
        upload = Upload(io.BytesIO())
        assert repr(upload) == "<Upload 0 fields, open>"
        upload.close()
        assert repr(upload) == "<Upload 0 fields, closed>"
        assert repr(Reception(tmp_path, 2, 1)) == "<Reception at most 2 at once, 0 wait>"
        assert repr(Reception(tmp_path, 0, 1)) == "<Reception at most 0 at once, all taken, 0 wait>"
        builder = Builder(ControlConfig(state_dir=tmp_path), StateDir(tmp_path))
        assert repr(builder) == "<Builder <Bundles 0 being built, 0 readers>>"

    asyncio.run(main())


def test_what_is_kept_in_the_store(tmp_path: Path) -> None:
    async def main() -> None:
        clock = ManualClock()
        store = MemoryStore(clock)
        secrets, tokens = Secrets(store, MemoryVault(), clock), Tokens(store, clock)
        await secrets.set("KEY", b"value")
        await tokens.create("laptop")
        assert (repr(secrets), repr(tokens)) == ("<Secrets 1 set>", "<Tokens 1 known>")
        state = StateDir(tmp_path / "state")
        state.lock()
        assert repr(state) == f"<StateDir {tmp_path / 'state'}, locked>"
        state.unlock()
        assert repr(state) == f"<StateDir {tmp_path / 'state'}>"

    asyncio.run(main())


def test_what_is_under_way_and_what_is_handed_to_workers(tmp_path: Path) -> None:
    async def main() -> None:
        clock = ManualClock()
        orders = Orders(lambda _: None)
        task = orders.begin(_never(), lambda _: Swept())
        assert repr(orders) == "<Orders 1 under way>"
        task.cancel()
        secrets = Secrets(MemoryStore(clock), MemoryVault(), clock)
        assert (
            repr(Supplies(StateDir(tmp_path), secrets, lambda _: (), lambda _, __: None))
            == "<Supplies 0 packed, 0 on their way>"
        )

    asyncio.run(main())


async def _never() -> Swept:
    await asyncio.Event().wait()
    return Swept()


def test_who_leads_and_what_the_admin_api_works_with(tmp_path: Path) -> None:
    async def nobody(_: Store) -> int:
        return 0

    async def main() -> None:
        clock, streams, observe = ManualClock(), Streams(1), None
        store = MemoryStore(clock)
        me = Leader("c1", "127.0.0.1:7700", "http://127.0.0.1:8080")
        leadership = Leadership(store, clock, me, 10.0, nobody, lambda _: None, lambda _: None)
        assert repr(leadership) == f"<Leadership c1: {leadership.core!r}>"
        control = Control(
            ControlConfig(state_dir=tmp_path), store, clock, lambda *_: None, lambda _: None,
            chance=streams.stream("placement"),
        )  # fmt: skip
        assert repr(ApiContext(control, observe)) == f"<ApiContext of {control!r}>"  # type: ignore[arg-type]

    asyncio.run(main())
