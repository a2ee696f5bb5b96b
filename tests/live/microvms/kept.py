"""Templates that outlast their server: the next one finds them, and what is restored is each one's own."""

import asyncio
import shutil
from pathlib import Path

import msgspec
import pytest

from attacca.model.function import SecretAs
from attacca.worker.core.reports import SandboxFailed, SandboxReady, TemplateReady
from attacca.worker.runtime.microvm.options import MicroVmOptions
from tests.live.microvms.monitors import fake, usual
from tests.live.microvms.subject import BOOT_S
from tests.live.microvms.survival import OWN, answer, opened, state, written

__all__ = ["fake", "state", "usual"]  # pytest's fixtures


@pytest.fixture(autouse=True)
def nothing_is_kept(state: Path) -> None:
    """By another monitor, or a test before."""
    shutil.rmtree(state / "microvms" / "kept", ignore_errors=True)


def there(state: Path) -> set[str]:
    return {path.name.rpartition(".")[2] for path in (state / "microvms" / "kept").glob("*-kept-*")}


async def answers(state: Path, usual: MicroVmOptions) -> list[dict[str, str | float]]:
    """By a server of its own: of its first sandbox, which is ordered before any template is, and of one from that."""
    async with opened(state, usual) as (subject, seen):
        own = written(subject, "kept", OWN)
        first = seen.make(own)
        made = await seen.born(first)
        assert isinstance(made, SandboxReady), made
        found = [await answer(seen, first, own)]
        template = seen.make_template(own)
        report = await seen.born(template)
        assert isinstance(report, TemplateReady), report
        assert report.handler == "main:handler"
        found.append(await answer(seen, await seen.sandbox(own, template), own))
        asked = msgspec.convert(found, list[dict[str, str | float]])
        now = subject.clock.wall()
        assert all(now - BOOT_S < float(one["at"]) <= now + 1 for one in asked)
        return asked


def test_the_next_server_goes_on_from_what_the_last_has_imported(state: Path, usual: MicroVmOptions) -> None:
    before, after = asyncio.run(answers(state, usual)), asyncio.run(answers(state, usual))
    assert there(state) == {"memory", "state", "json"}
    assert before[0]["drawn"] != before[1]["drawn"] == after[0]["drawn"] == after[1]["drawn"]
    for name in ("random", "uuid", "ssl"):
        assert len({one[name] for one in before + after}) == 4, name


def test_one_that_is_dropped_goes_and_so_does_one_that_is_no_good(state: Path, usual: MicroVmOptions) -> None:
    asyncio.run(answers(state, usual))

    async def main() -> None:
        async with opened(state, usual) as (subject, seen):
            own = written(subject, "kept", OWN)
            (kept,) = (state / "microvms" / "kept").glob("*-kept-*.state")
            kept.write_bytes(b"no state of a machine's")
            report = await seen.born(seen.make(own))
            assert isinstance(report, SandboxFailed)
            assert there(state) == set()
            template = await seen.template(own)
            subject.runtime.drop_template(template)
            await seen.gone(template)
            await subject.runtime._kept.close()
            await asyncio.sleep(0)  # what is done then
            assert there(state) == set()

    asyncio.run(main())


@pytest.mark.parametrize("told", ["secrets", "none is to be"])
def test_none_is_kept_of_who_is_told_secrets_or_where_none_is_to_be(
    state: Path, usual: MicroVmOptions, told: str
) -> None:
    async def main() -> None:
        options = usual if told == "secrets" else msgspec.structs.replace(usual, kept_mb=0)
        async with opened(state, options) as (subject, seen):
            own = written(subject, "kept", OWN)
            secrets = {"KEY": SecretAs.ENV} if told == "secrets" else {}
            own = msgspec.structs.replace(own, settings=msgspec.structs.replace(own.settings, secrets=secrets))
            subject.runtime._secret = lambda _: b"value"
            await seen.template(own)

    asyncio.run(main())
    assert there(state) == set()
