"""What every runtime must do: each is run through these checks, by the tests that come with it.

    await check_runtime(subject)    ──▶ the names of the checks that apply to it, all passed

A subject is a runtime with functions that do what their names say. Each check is given one of its own, opens it, and
closes it; a witness looks at all that it reports meanwhile.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from enum import StrEnum
from typing import Protocol

import msgspec

from attacca.model.function import Network, Revision
from attacca.model.invocation import Failed, FunctionError, Invocation, Ok, Request
from attacca.model.messages import Logged
from attacca.worker.core.alone import can_have_ahead
from attacca.worker.core.events import TakeBack
from attacca.worker.core.reports import (
    RunBody,
    RunEnded,
    SandboxFailed,
    SandboxGone,
    TakenBack,
    TemplateFailed,
    TemplateGone,
)
from attacca.worker.runtime.bench import Bench
from attacca.worker.runtime.types import Runtime


class Doing(StrEnum):
    """What a function does."""

    ECHO = "echo"  # answers with its body
    RAISE = "raise"  # raises ValueError, or what there is in the place of it
    EXIT = "exit"  # ends its process
    WAIT = "wait"  # does not end by itself
    PRINT = "print"  # prints "hello", and answers
    HOG = "hog"  # takes more memory than it may have
    STREAM = "stream"  # is sent a body in pieces, and sends it back in pieces
    BROKEN = "broken"  # cannot be imported
    LINKS = "links"  # answers with a list of the links of its network


class Subject(Protocol):
    """A runtime that is not open yet."""

    @property
    def runtime(self) -> Runtime: ...

    @property
    def cannot(self) -> Collection[Doing]:
        """What no function in it can do."""

    @property
    def raises(self) -> str:
        """The kind of error that RAISE ends with."""

    @property
    def networks(self) -> Mapping[Network, list[str]]:
        """What LINKS answers in each that there is here, in their order."""

    def function(self, doing: Doing, concurrency: int = 1, network: Network = Network.NONE) -> Revision: ...

    def leftovers(self) -> list[str]:
        """What there still is of it once it is closed."""


# The checks, by name. What a function must be able to do for one is in NEEDS.


async def a_sandbox_starts_runs_and_is_killed(bench: Bench, subject: Subject) -> None:
    echo = subject.function(Doing.ECHO)
    sandbox = await bench.sandbox(echo)
    await bench.echo(sandbox, echo)
    await bench.echo(sandbox, echo)
    bench.kill(sandbox)
    bench.kill(sandbox)
    report = await bench.gone(sandbox)
    assert isinstance(report, SandboxGone), report
    assert report.code == "sandbox_lost", report


async def a_template_is_made_forked_and_dropped(bench: Bench, subject: Subject) -> None:
    echo = subject.function(Doing.ECHO)
    template = await bench.template(echo)
    first, second = await bench.sandbox(echo, template), await bench.sandbox(echo, template)
    await bench.echo(first, echo)
    await bench.echo(second, echo)
    for sandbox in (first, second):
        bench.kill(sandbox)
        await bench.gone(sandbox)
    bench.tell(bench.runtime.drop_template, template)
    assert isinstance(await bench.gone(template), TemplateGone)


async def what_cannot_be_imported_fails_with_its_traceback(bench: Bench, subject: Subject) -> None:
    broken = subject.function(Doing.BROKEN)
    for report in (await bench.born(bench.make(broken)), await bench.born(bench.make_template(broken))):
        assert isinstance(report, SandboxFailed | TemplateFailed), report
        assert report.code == "bad_function", report
        assert report.traceback or (isinstance(report, TemplateFailed) and report.hint), report


async def what_is_ended_while_it_starts_ends_once(bench: Bench, subject: Subject) -> None:
    echo = subject.function(Doing.ECHO)
    sandbox, template = bench.make(echo), bench.make_template(echo)
    bench.kill(sandbox)
    bench.tell(bench.runtime.drop_template, template)
    await bench.gone(sandbox)
    await bench.gone(template)


async def a_fork_of_what_is_gone_fails(bench: Bench, subject: Subject) -> None:
    echo = subject.function(Doing.ECHO)
    template = await bench.template(echo)
    bench.tell(bench.runtime.drop_template, template)
    await bench.gone(template)
    report = await bench.born(bench.make(echo, template))
    assert isinstance(report, SandboxFailed), report
    assert (report.code, report.traceback) == ("sandbox_lost", ""), report


async def who_raises_lives_on(bench: Bench, subject: Subject) -> None:
    wrong = subject.function(Doing.RAISE)
    sandbox = await bench.sandbox(wrong)
    for _ in range(2):
        outcome = (await bench.ended(bench.run(sandbox, wrong))).outcome
        assert isinstance(outcome, FunctionError), outcome
        assert outcome.type == subject.raises, outcome


async def several_run_at_once(bench: Bench, subject: Subject) -> None:
    waits, echoes = subject.function(Doing.WAIT, 3), subject.function(Doing.ECHO, 3)
    sandbox = await bench.sandbox(echoes)
    bodies = [b'{"word": "%d"}' % number for number in range(3)]
    names = [bench.run(sandbox, echoes, body) for body in bodies]
    for name, body in zip(names, bodies, strict=True):
        outcome = (await bench.ended(name)).outcome
        assert isinstance(outcome, Ok), outcome
        assert outcome.body.replace(b" ", b"") == body.replace(b" ", b""), "the answer of another"
    sandbox = await bench.sandbox(waits)
    names = [bench.run(sandbox, waits) for _ in range(3)]
    bench.tell(bench.runtime.stop, sandbox, names[0])  # it may not be able to
    bench.kill(sandbox)
    await bench.gone(sandbox)
    assert not any(map(bench.has_ended, names[1:])), "what is lost with its sandbox has no end of its own"


async def what_runs_is_lost_with_a_killed_sandbox(bench: Bench, subject: Subject) -> None:
    waits = subject.function(Doing.WAIT)
    sandbox = await bench.sandbox(waits)
    invocation = bench.run(sandbox, waits)
    bench.kill(sandbox)
    assert isinstance(await bench.gone(sandbox), SandboxGone)
    assert not bench.has_ended(invocation)


async def what_is_handed_ahead_comes_back_until_it_has_begun(bench: Bench, subject: Subject) -> None:
    waits = subject.function(Doing.WAIT)
    if not can_have_ahead(waits):
        return
    sandbox = await bench.sandbox(waits)
    bench.run(sandbox, waits)
    ahead = bench.hand(sandbox, waits)
    bench.tell(bench.runtime.tell, sandbox, TakeBack(sandbox))
    report = await bench.witness.until(lambda one: isinstance(one, TakenBack), f"{ahead} to be taken back")
    assert report == TakenBack(sandbox, (ahead,)), report
    ahead = bench.hand(sandbox, waits)
    bench.kill(sandbox)
    gone = await bench.gone(sandbox)
    assert isinstance(gone, SandboxGone), gone
    assert gone.not_begun == (ahead,), gone


async def who_ends_its_process_is_gone(bench: Bench, subject: Subject) -> None:
    exits = subject.function(Doing.EXIT)
    sandbox = await bench.sandbox(exits)
    invocation = bench.run(sandbox, exits)
    report = await bench.gone(sandbox)
    assert isinstance(report, SandboxGone), report
    assert report.code == "sandbox_lost", report
    assert not bench.has_ended(invocation)


async def who_takes_too_much_memory_is_ended(bench: Bench, subject: Subject) -> None:
    """The sandbox, or, where its interpreter could say no, the invocation."""
    hog = subject.function(Doing.HOG)
    sandbox = await bench.sandbox(hog)
    invocation = bench.run(sandbox, hog)
    report = await bench.witness.until(
        lambda one: isinstance(one, SandboxGone | RunEnded) and one.sandbox == sandbox, f"{invocation} to end"
    )
    if isinstance(report, RunEnded):
        assert isinstance(report.outcome, Failed), report
        assert report.outcome.code == "out_of_memory", report
    else:
        assert isinstance(report, SandboxGone)
        assert report.code == "out_of_memory", report


async def what_it_prints_comes_with_its_names_and_before_its_end(bench: Bench, subject: Subject) -> None:
    prints = subject.function(Doing.PRINT)
    sandbox = await bench.sandbox(prints)
    invocation = bench.run(sandbox, prints)
    end = await bench.ended(invocation)
    logged = [one for one in bench.witness.heard if isinstance(one, Logged) and one.invocation == invocation]
    assert "".join(one.text for one in logged).strip() == "hello", logged
    assert {(one.function, one.revision, one.sandbox) for one in logged} == {(prints.function, prints.id, sandbox)}
    assert bench.witness.heard.index(logged[-1]) < bench.witness.heard.index(end)


async def bodies_and_answers_come_in_pieces(bench: Bench, subject: Subject) -> None:
    streams, runtime = subject.function(Doing.STREAM), bench.runtime
    sandbox = await bench.sandbox(streams)
    invocation = bench.run(sandbox, streams, b"a", more=True)
    for piece in (b"b", b"c"):
        bench.tell(runtime.body, sandbox, invocation, piece, False)  # noqa: FBT003 - a Runtime's
    bench.tell(runtime.flow, sandbox, invocation, True)  # noqa: FBT003 - a Runtime's
    bench.tell(runtime.flow, sandbox, invocation, False)  # noqa: FBT003 - a Runtime's
    bench.tell(runtime.body, sandbox, invocation, b"", True)  # noqa: FBT003 - a Runtime's
    end = await bench.ended(invocation)
    assert end.outcome == Ok(streamed=True), end
    pieces = [one.data for one in bench.witness.heard if isinstance(one, RunBody) and one.invocation == invocation]
    assert len(pieces) > 1, pieces
    assert b"".join(pieces) == b"abc", pieces


async def its_network_is_the_one_that_was_asked_for(bench: Bench, subject: Subject) -> None:
    """Also of one that is forked."""
    for network, links in subject.networks.items():
        asked = subject.function(Doing.LINKS, network=network)
        for template in (None, await bench.template(asked)):
            sandbox = await bench.sandbox(asked, template)
            outcome = (await bench.ended(bench.run(sandbox, asked))).outcome
            assert isinstance(outcome, Ok), outcome
            assert msgspec.json.decode(outcome.body) == links, (network, template)


async def who_is_left_alone_does_no_harm(bench: Bench, subject: Subject) -> None:
    waits = subject.function(Doing.WAIT)
    sandbox = await bench.sandbox(waits)
    invocation = bench.run(sandbox, waits)
    bench.tell(bench.runtime.leave, sandbox, invocation)
    bench.kill(sandbox)
    await bench.gone(sandbox)


async def orders_about_nobody_do_nothing(bench: Bench, subject: Subject) -> None:
    echo, runtime = subject.function(Doing.ECHO), bench.runtime
    gone = await bench.sandbox(echo)
    bench.kill(gone)
    await bench.gone(gone)
    heard = len(bench.witness.heard)
    for name in ("nobody", gone):
        call = Invocation("i", echo.function, echo.id, Request())
        bench.tell(runtime.run, name, echo, call)
        bench.tell(runtime.stop, name, "i")
        bench.tell(runtime.body, name, "i", b"x", True)  # noqa: FBT003 - a Runtime's
        bench.tell(runtime.flow, name, "i", True)  # noqa: FBT003 - a Runtime's
        bench.tell(runtime.leave, name, "i")
        bench.tell(runtime.kill, name)
        bench.tell(runtime.drop_template, name)
    await bench.echo(await bench.sandbox(echo), echo)
    assert all("nobody" not in repr(report) and gone not in repr(report) for report in bench.witness.heard[heard:])


async def closing_ends_whatever_there_is(bench: Bench, subject: Subject) -> None:
    echo, waits = subject.function(Doing.ECHO), subject.function(Doing.WAIT)
    template = await bench.template(echo)
    await bench.sandbox(echo, template)
    bench.run(await bench.sandbox(waits), waits)
    bench.make(echo)
    bench.make(echo, template)
    bench.make_template(waits)


Check = Callable[[Bench, Subject], Awaitable[None]]
NEEDS: dict[Check, tuple[Doing, ...]] = {
    a_sandbox_starts_runs_and_is_killed: (),
    a_template_is_made_forked_and_dropped: (),
    what_cannot_be_imported_fails_with_its_traceback: (Doing.BROKEN,),
    what_is_ended_while_it_starts_ends_once: (),
    a_fork_of_what_is_gone_fails: (),
    who_raises_lives_on: (Doing.RAISE,),
    several_run_at_once: (Doing.WAIT,),
    what_runs_is_lost_with_a_killed_sandbox: (Doing.WAIT,),
    what_is_handed_ahead_comes_back_until_it_has_begun: (Doing.WAIT,),
    who_ends_its_process_is_gone: (Doing.EXIT,),
    who_takes_too_much_memory_is_ended: (Doing.HOG,),
    what_it_prints_comes_with_its_names_and_before_its_end: (Doing.PRINT,),
    bodies_and_answers_come_in_pieces: (Doing.STREAM,),
    its_network_is_the_one_that_was_asked_for: (Doing.LINKS,),
    who_is_left_alone_does_no_harm: (Doing.WAIT,),
    orders_about_nobody_do_nothing: (),
    closing_ends_whatever_there_is: (Doing.WAIT,),
}


async def check_runtime(make: Callable[[], Subject]) -> list[str]:
    """
    Raises:
        AssertionError: what it did that no runtime may do; the check is a note of it.
    """
    passed = []
    for check, needs in NEEDS.items():
        subject = make()
        if any(doing in subject.cannot for doing in needs):
            continue
        try:
            await _run(check, subject)
        except BaseException as error:
            error.add_note(f"in the check {check.__name__}")
            raise
        passed.append(check.__name__)
    return passed


async def _run(check: Check, subject: Subject) -> None:
    bench = Bench(subject.runtime)
    await subject.runtime.open(bench.witness.hear)
    try:
        await check(bench, subject)
    finally:
        await subject.runtime.close()
        assert bench.witness.wrong == [], bench.witness.wrong
    bench.witness.is_closed = True
    await asyncio.sleep(0)
    assert subject.leftovers() == [], f"left behind: {subject.leftovers()}"
    assert bench.witness.wrong == [], bench.witness.wrong
