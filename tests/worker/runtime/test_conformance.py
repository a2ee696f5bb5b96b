"""The simulated runtime does what every runtime must; and who does not is found out."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from attacca.kernel.clock import SystemClock
from attacca.model.function import Network, PythonDirectory, Revision, Signature
from attacca.model.invocation import FunctionError, Invocation, Making, Ok
from attacca.worker.core.reports import Report, RunEnded, SandboxGone, SandboxReady, Sink
from attacca.worker.runtime.bench import Bench, Witness
from attacca.worker.runtime.conformance import NEEDS, Doing, check_runtime
from attacca.worker.runtime.router import Router
from attacca.worker.runtime.scripted import Answer, Ending, Fault, ScriptedMachine, Times
from attacca.worker.runtime.simulated import SimulatedRuntime
from tests.worker.stage import revision

QUICK = Times(sandbox_ms=0, code_ms=0, imports_ms=0, fork_ms=0, run_ms=0, kill_ms=0)
NEVER_MS = 1e9
LINKS = {Network.NONE: ["lo"], Network.NAT: ["eth0", "lo"], Network.HOST: ["eth0", "eth1", "lo"]}


def answer(of: Revision, invocation: Invocation) -> Answer:
    body = invocation.request.body
    match Doing(of.function):
        case Doing.RAISE:
            return Answer(run_ms=0, outcome=FunctionError("ValueError", "no", ""))
        case Doing.EXIT:
            return Answer(run_ms=0, outcome=Ending("sandbox_lost", "its process exited with status 3"))
        case Doing.HOG:
            return Answer(run_ms=0, outcome=Ending("out_of_memory", "it went over its memory of 128 MB"))
        case Doing.WAIT:
            return Answer(run_ms=NEVER_MS, outcome=Ok())
        case Doing.PRINT:
            return Answer(run_ms=0, outcome=Ok(), printed="hello\n")
        case Doing.LINKS:
            return Answer(run_ms=0, outcome=Ok(body=msgspec.json.encode(LINKS[of.settings.network])))
        case Doing.STREAM:
            return Answer(
                run_ms=0, outcome=Ok(streamed=True), pieces=tuple(body[at : at + 1] for at in range(len(body)))
            )
        case _:
            return Answer(run_ms=0, outcome=Ok(body=body))


class SimulatedSubject:
    raises = "ValueError"
    cannot: tuple[Doing, ...] = ()
    networks = LINKS

    def __init__(self) -> None:
        machine = ScriptedMachine(SystemClock(), QUICK, answer, on_loop=True)
        machine.break_starts(Doing.BROKEN, Fault())
        machine.break_templates(Doing.BROKEN, Fault())
        self.runtime = SimulatedRuntime(machine)

    def function(self, doing: Doing, concurrency: int = 1, network: Network = Network.NONE) -> Revision:
        made = revision(doing, concurrency=concurrency, network=network)
        return msgspec.structs.replace(made, signature=Signature.ASGI) if doing is Doing.STREAM else made

    def leftovers(self) -> list[str]:
        return [*self.runtime.sandboxes, *self.runtime.templates]


def test_the_simulated_runtime_passes_all_checks() -> None:
    assert asyncio.run(check_runtime(SimulatedSubject)) == [check.__name__ for check in NEEDS]


def test_who_reports_inside_the_call_is_found_out() -> None:
    class Hasty(SimulatedSubject):
        def __init__(self) -> None:
            super().__init__()
            self.runtime.machine.later = lambda do: do()  # type: ignore[method-assign]

    with pytest.raises(AssertionError, match="inside the call that ordered it"):
        asyncio.run(check_runtime(Hasty))


class Altered:
    """A runtime of which one method does something else."""

    def __init__(self, runtime: SimulatedRuntime, name: str, do: Callable[..., object]) -> None:
        self._runtime = runtime
        vars(self)[name] = do

    def __getattr__(self, name: str) -> object:
        return getattr(self._runtime, name)


def broken(change: Callable[[SimulatedRuntime], Altered | None]) -> type[SimulatedSubject]:
    class Broken(SimulatedSubject):
        def __init__(self) -> None:
            super().__init__()
            self.runtime = change(self.runtime) or self.runtime  # type: ignore[assignment]

    return Broken


def twice(runtime: SimulatedRuntime) -> Altered:
    """It says again what it has said."""

    async def open_twice(sink: Sink) -> None:
        def say(report: Report) -> None:
            sink(report)
            if isinstance(report, SandboxReady | SandboxGone | RunEnded):
                sink(report)

        runtime.connect(say)

    return Altered(runtime, "open", open_twice)


def keep_something(runtime: SimulatedRuntime) -> Altered:
    async def close() -> None: ...

    return Altered(runtime, "close", close)


def answer_alike(runtime: SimulatedRuntime) -> None:
    """All are answered alike."""
    runtime.machine._handler = lambda of, call: Answer(run_ms=0, outcome=Ok(body=b"{}"))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("change", "says"), [(twice, "SandboxReady"), (keep_something, "left behind"), (answer_alike, "Ok")]
)
def test_what_is_wrong_is_found_out(change: Callable[[SimulatedRuntime], Altered | None], says: str) -> None:
    with pytest.raises(AssertionError, match=says) as caught:
        asyncio.run(check_runtime(broken(change)))
    assert any("in the check" in note for note in caught.value.__notes__)


def test_what_a_runtime_cannot_do_is_not_asked_of_it() -> None:
    class Silent(SimulatedSubject):
        cannot = (Doing.PRINT, Doing.STREAM)

    passed = asyncio.run(check_runtime(Silent))
    left_out = {check.__name__ for check in NEEDS} - {*passed}
    assert left_out == {
        "what_it_prints_comes_with_its_names_and_before_its_end",
        "bodies_and_answers_come_in_pieces",
    }


def test_bench_and_witness_say_how_they_are() -> None:
    bench = Bench(SimulatedSubject().runtime)
    assert repr(bench) == "<Bench 0 ordered, <Witness 0 heard, 0 ready, 0 running>>"
    witness = Witness()
    witness.ordered("s1")
    witness.hear(SandboxReady("s1", Making()))
    witness.began("s1", "i1")
    assert repr(witness) == "<Witness 1 heard, 1 ready, 1 running>"
    witness.hear(SandboxGone("s2", "sandbox_lost", ""))
    assert len(witness.wrong) == 1


def test_so_does_a_router_with_it_behind() -> None:
    class RoutedSubject(SimulatedSubject):
        def __init__(self) -> None:
            super().__init__()
            self._behind, self.runtime = self.runtime, Router({PythonDirectory: self.runtime})  # type: ignore[assignment]

        def leftovers(self) -> list[str]:
            return list(self._behind.instances)

    assert asyncio.run(check_runtime(RoutedSubject)) == [check.__name__ for check in NEEDS]
