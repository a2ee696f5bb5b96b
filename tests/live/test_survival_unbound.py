"""A function keeps to its limits from the first instruction of its import on, wherever its template waits."""

import asyncio
import contextlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from attacca.worker.core.reports import SandboxFailed, SandboxReady, TemplateFailed, TemplateGone, TemplateReady
from attacca.worker.runtime.process.family import SPARE, ours
from tests.live import ordinary
from tests.live.house import House, visit
from tests.live.whole import running

LIMIT_MB, PROCESSES = 64, 16
MUCH = """
    import os, resource, signal, time

    held, made = [], 0

    def grow(mb):
        for _ in range(0, mb, 8):
            held.append(b"m" * (8 << 20))
            os.write(2, b"grown %d\\n" % (8 * len(held)))

    def fork(many):
        global made
        hard = resource.getrlimit(resource.RLIMIT_NPROC)[1]
        resource.setrlimit(resource.RLIMIT_NPROC, (hard, hard))
        for _ in range(many):
            try:
                if os.fork() == 0:
                    time.sleep(60)
                    os._exit(0)
            except OSError:
                break
            made += 1

    def again(do):
        def ring(*_):
            do()
            signal.setitimer(signal.ITIMER_REAL, 0.01)
        signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, 0.01)

    def handler(): return made
"""


def source(line: str) -> str:
    return MUCH + f"\n    {line}\n"


def has_groups(house: House) -> bool:
    return house.runtime.common.groups is not None


def read(group: Any, controller: str, names: Iterable[str]) -> int:
    """The first of these files of a group that there is."""
    at = group._in[controller] if isinstance(group._in, dict) else group._in
    for name in names:
        with contextlib.suppress(OSError):
            return int(Path(at, name).read_text())
    raise AssertionError(f"{at} has none of {names}")


def peak_mb(group: Any) -> float:
    return read(group, "memory", ("memory.max_usage_in_bytes", "memory.peak", "memory.current")) / 2**20


def processes(group: Any) -> int:
    return read(group, "pids", ("pids.current",))


async def begin(house: House, code: str, *, template: bool) -> TemplateFailed | SandboxFailed:
    """What an import that cannot succeed comes to."""
    revision = house.function(code, memory_mb=LIMIT_MB)
    if template:
        house.runtime.make_template("t", revision)
    else:
        house.runtime.make_sandbox("s", revision, None)
    kinds = TemplateFailed | SandboxFailed | TemplateReady | SandboxReady
    report = await house.until(lambda report: isinstance(report, kinds))
    assert isinstance(report, TemplateFailed | SandboxFailed), report
    return report


@pytest.mark.parametrize("template", [True, False])
def test_an_import_that_takes_more_memory_than_it_may_is_ended_as_that(template: bool) -> None:  # noqa: FBT001
    async def story(house: House) -> None:
        failed = await begin(house, source("grow(1700)"), template=template)
        assert failed.code == "out_of_memory", failed
        grown = max(map(int, re.findall(r"grown (\d+)", house.printed())), default=0)
        assert grown <= (LIMIT_MB if has_groups(house) else 2 * LIMIT_MB)

    visit(story)


@pytest.mark.parametrize("template", [True, False])
def test_an_import_that_makes_more_processes_than_it_may_gets_no_more(template: bool) -> None:  # noqa: FBT001
    async def story(house: House) -> None:
        failed = await begin(
            house,
            source("fork(600); made < 600 or time.sleep(60); raise RuntimeError(f'made {made}')"),
            template=template,
        )
        assert failed.code in ("bad_function", "start_failed", "out_of_memory"), failed
        if found := re.search(r"made (\d+)", failed.message):
            assert int(found[1]) < (PROCESSES if has_groups(house) else 600)
        else:
            assert not has_groups(house), failed
            assert "processes and threads" in failed.message, failed

    visit(story, processes=PROCESSES)


def test_a_template_that_takes_memory_later_keeps_to_the_bound_of_its_family() -> None:
    """On its way through the groups of several births, in each of which it may leave something."""

    async def story(house: House) -> None:
        if not has_groups(house):
            pytest.skip("there are no cgroups")
        revision = house.function(source("before_template = lambda: again(lambda: grow(8))"), memory_mb=LIMIT_MB)
        template = await house.template(revision)
        assert isinstance(template, TemplateReady)
        group = house.runtime._templates[template.template].process.group
        many, own = 1 + SPARE, ours(1)
        peaks = [0.0]
        for number in range(40):
            house.runtime.make_sandbox(name := f"birth{number}", revision, template.template)
            report = await house.until(lambda r: getattr(r, "sandbox", "") == name)
            with contextlib.suppress(AssertionError):  # the group is gone with the template
                peaks.append(peak_mb(group))
            if isinstance(report, SandboxReady):
                house.runtime.kill(name)
                await house.gone(name)
            if any(isinstance(report, TemplateGone) for report in house.reports):
                break
        await house.template_gone(template.template)
        assert LIMIT_MB / 2 < max(peaks) <= many * LIMIT_MB + own.memory_mb

    visit(story)


def test_a_template_that_makes_processes_later_keeps_to_the_bound_of_its_family_too() -> None:
    async def story(house: House) -> None:
        if not has_groups(house):
            pytest.skip("there are no cgroups")
        revision = house.function(source("before_template = lambda: again(lambda: fork(1))"))
        template = await house.template(revision)
        assert isinstance(template, TemplateReady)
        process = house.runtime._templates[template.template].process
        many, own = 1 + SPARE, ours(1)
        most = 0
        for number in range(4):
            house.runtime.make_sandbox(name := f"birth{number}", revision, template.template)
            report = await house.until(lambda r: getattr(r, "sandbox", "") == name)
            most = max(most, processes(process.group))
            if isinstance(report, SandboxReady):  # it is not found where it should be when others came before it
                house.runtime.kill(name)
                await house.gone(name)
        for _ in range(50):
            most = max(most, processes(process.group))
            await asyncio.sleep(0.01)
        assert PROCESSES / 2 < most <= many * PROCESSES + own.processes
        house.runtime.drop_template(template.template)
        await house.template_gone(template.template)
        await house.quiet(lambda: house.runtime._leftovers._groups)

    visit(story, processes=PROCESSES)


def test_while_no_group_can_be_made_nobody_is_born_into_anothers() -> None:
    async def story(house: House) -> None:
        if not has_groups(house):
            pytest.skip("there are no cgroups")
        revision = house.function("def handler(): return 1")
        zygote = house.runtime._zygotes.indoors.fork_client
        assert zygote is not None
        make, parts = vars(zygote.slot)["_make"], vars(zygote.slot)

        def refuse() -> Any:
            raise OSError("no room for another")

        parts["_make"] = refuse
        first = await house.sandbox(revision)  # the zygote waits in a group already
        await house.quiet(lambda: not parts["_is_stuck"])
        house.runtime.make_sandbox("second", revision, None)
        report = await house.until(lambda report: getattr(report, "sandbox", "") == "second")
        assert isinstance(report, SandboxFailed)
        assert "no cgroup" in report.message
        parts["_make"] = make
        third = await house.sandbox(revision)
        children = house.runtime._processes
        assert children[third].group not in (None, children[first].group)

    visit(story)


def test_who_keeps_to_its_limit_is_not_ended_for_it(tmp_path: Path) -> None:
    victim = """
        import os
        ME, held = os.urandom(8).hex(), []

        def victim(mb=0):
            if mb:
                held.append(b"m" * (mb << 20))
            return [ME]
    """
    with running(tmp_path / "state", "--memory", "448") as whole:
        whole.function("victim", victim, memory_mb=128)
        me = whole.call("victim", {"mb": 90}).value
        for number, line in enumerate(("grow(1700)", "before_template = lambda: again(lambda: grow(24))")):
            told = whole.deploy(name := f"greedy{number}", source(line), handler="main:handler", memory_mb=LIMIT_MB)
            if "done" in told:
                for _ in range(8):
                    assert whole.call(name).status in (200, 502, 503, 500)
                    whole.ask("POST", f"/api/functions/{name}/evict", b"{}", {"content-type": "application/json"})
                    assert whole.call("victim").value == me, "it is the same sandbox still"
            else:
                assert told["error"]["code"] == "out_of_memory", told
            assert whole.call("victim").value == me
        assert "Traceback" not in whole.said


@pytest.mark.skipif(os.geteuid() != 0, reason="already an ordinary user")
def test_all_of_this_holds_for_an_ordinary_user_too() -> None:
    ordinary.run_again(__file__)
