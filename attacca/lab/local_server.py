"""The server that a scenario describes: one of our own, or somebody's, compared with what is described."""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from attacca.client.http import CLASSES
from attacca.client.program import ourselves
from attacca.errors import AttaccaError, BadConfig, Unreachable
from attacca.kernel.registry import build
from attacca.load.workload.scenario import Choice, Fault, Scenario, System
from attacca.policy.concurrency import CONCURRENCY
from attacca.policy.keepalive import KEEPALIVE
from attacca.policy.placement import PLACEMENT
from attacca.policy.queueing import QUEUEING
from attacca.policy.scaling import SCALING
from attacca.worker.host.watch import no_group

DRAINS_S, STOPS_S = 0.5, 60.0
ELSEWHERE = ("balancing", "mode")  # with one worker it decides nothing; what is deployed says it
FAMILIES: Mapping[str, Mapping[str, type[Any]]] = {
    "queueing": QUEUEING, "concurrency": CONCURRENCY, "keepalive": KEEPALIVE,
    "scaling": SCALING, "placement": PLACEMENT,
}  # fmt: skip
OF_CONTROL = ("scaling", "placement")


@contextmanager
def server(
    system: System, up: str = "", remark: Callable[[str], None] = lambda _: None, state: Path | None = None
) -> Iterator[str]:
    """`attacca up` as the scenario's system describes it, on a free port; gone afterwards, and also when we are killed:
    it ends when its standard input, of which we hold the other end, is closed. Its state is in the directory `state`,
    or one of its own that goes with it.

    Raises:
        BadConfig: one server cannot be what is described.
        Unreachable: it did not start.
    """
    if system.workers != 1:
        raise BadConfig(
            f"the scenario has {system.workers} workers; a server of its own has one",
            "set system.workers = 1, or simulate: attacca sim run SCENARIO",
        )
    with tempfile.TemporaryFile() as log:
        place = ["--temporary"] if state is None else ["--state-dir", str(state)]
        process = subprocess.Popen(
            [*ourselves(), *words(system), *up.split(), *place, "--lifeline"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=environment(), process_group=0,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                process.wait(STOPS_S)
                log.seek(0)
                raise _refusal(log.read())
            info = json.loads(line)
            if warning := no_group(info):
                remark(warning)
            yield info["url"]
        finally:
            with process:  # its pipes are closed, whatever became of it
                _end(process)


def _end(process: "subprocess.Popen[str]") -> None:
    """Asked once it lets what runs finish, asked again it does not: nobody waits for that any more."""
    for patience_s in (DRAINS_S, STOPS_S):
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            continue
        return
    process.kill()
    process.wait()


def _refusal(said: bytes) -> AttaccaError:
    """What the server that did not start has said."""
    try:
        error = json.loads(said)["error"]
        return CLASSES.get(error["code"], AttaccaError)(error["message"], error["try"])
    except (ValueError, KeyError, TypeError):
        last = said.decode(errors="replace").strip().rpartition("\n")[2]
        return Unreachable(f"the server did not start: {last}", "attacca doctor; or give one that is up with --target")


def words(system: System) -> list[str]:
    """The command line of a server that is so."""
    line = ["up", "--port", "0", "--json", "--memory", str(system.memory_mb), "--cores", str(system.cores)]
    line += ["--memory-limits", "watch"]  # whoever measures as an ordinary user does so on a machine of their own
    line += ["--set", f"worker.templates={json.dumps(system.templates)}"]
    line += ["--set", "energy.source=auto"]  # where there is no meter it does without
    line += ["--set", f"gateway.silent_s={system.silent_s}", "--set", f"gateway.attempts={system.attempts}"]
    line += ["--set", f"control.prefetch={system.prefetch}"] if system.prefetch else []
    for family in FAMILIES:
        choice: Choice = getattr(system, family)
        place = f"{'control' if family in OF_CONTROL else 'worker'}.{family}"
        line += ["--set", f"{place}.policy={choice.policy}"]
        for key, value in choice.options.items():
            line += ["--set", f"{place}.options.{key}={json.dumps(value)}"]
    return line


def environment() -> dict[str, str]:
    """Without settings that the scenario does not know of."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ATTACCA_")}


class Difference(NamedTuple):
    """One setting of [system]."""

    key: str
    wanted: object
    there: object

    def __str__(self) -> str:
        return f"{self.key} is {_shown(self.there)}, not {_shown(self.wanted)}"


def said(path: Path) -> set[str]:
    """The keys that a scenario's file has in its [system]; the others have their defaults."""
    return set(msgspec.toml.decode(path.read_bytes()).get("system", {}))


def differences(system: System, there: Mapping[str, Any], keys: Collection[str]) -> list[Difference]:
    """`there` is `system` of the server's /api/info; of a server that does not tell, everything differs."""
    differing = []
    for key in System.__struct_fields__:
        if key in ELSEWHERE or key not in keys or getattr(system, key) is msgspec.UNSET:
            continue
        wanted, given = msgspec.to_builtins(getattr(system, key)), there.get(key)
        if key in FAMILIES:
            wanted, given = _whole(key, wanted), _whole(key, given)
        if wanted != given:
            differing.append(Difference(key, wanted, given))
    return differing


def _whole(family: str, choice: Any) -> Any:
    """With the options that were left out."""
    try:
        policy = build(FAMILIES[family], choice["policy"], choice.get("options", {}), f"attacca.policy.{family}")
        options = {field: value for field, value in msgspec.to_builtins(policy).items() if not field.startswith("_")}
    except (AttaccaError, KeyError, TypeError, AttributeError):  # a policy that only the server has
        return choice
    return {"policy": choice["policy"], "options": options}


def _shown(value: object) -> str:
    if isinstance(value, dict) and "policy" in value:
        options = ", ".join(f"{key}={option}" for key, option in value.get("options", {}).items())
        return f"{value['policy']}({options})" if options else str(value["policy"])
    return "not told" if value is None else str(value)


def not_applied(scenario: Scenario) -> list[str]:
    """What of the scenario a live run leaves out, in words."""
    return [f"{fault.kind} {_when(fault)}" for fault in scenario.faults]


def _when(fault: Fault) -> str:
    return f"at {fault.at_s:g} s" if fault.at_s is not None else f"{fault.rate:g} times an hour"
