from pathlib import Path
from typing import Any

import msgspec
import pytest

from attacca.errors import BadConfig
from attacca.lab.local_server import differences, not_applied, said, server, words
from attacca.load.workload.scenario import Choice, Fault, FunctionPlan, Scenario, System, Workload
from attacca.policy.keepalive.ttl import Ttl

EVERYTHING = frozenset(System.__struct_fields__)


def there(system: System) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(system)
    return found


def test_a_server_that_is_so_does_not_differ() -> None:
    system = System(keepalive=Choice(policy="lru"))
    assert differences(system, there(system), EVERYTHING) == []


def test_only_what_the_file_says_is_compared(tmp_path: Path) -> None:
    path = tmp_path / "one.toml"
    path.write_text("name = 'x'\n[system]\nmemory_mb = 1024\ncores = 2\n")
    assert said(path) == {"memory_mb", "cores"}
    other = there(System(memory_mb=512, cores=2, templates=False))
    assert [str(one) for one in differences(System(memory_mb=1024, cores=2), other, said(path))] == [
        "memory_mb is 512, not 1024"
    ]
    path.write_text("name = 'x'\n")
    assert said(path) == set()


def test_an_option_left_out_is_its_default() -> None:
    whole = Choice(policy="ttl", options={"idle_s": Ttl().idle_s})
    assert differences(System(keepalive=Choice(policy="ttl")), there(System(keepalive=whole)), EVERYTHING) == []
    found = differences(System(keepalive=whole), there(System(keepalive=Choice(policy="lru"))), EVERYTHING)
    assert [one.key for one in found] == ["keepalive"]
    assert str(found[0]).startswith("keepalive is lru")


def test_a_server_that_does_not_tell_differs() -> None:
    assert str(differences(System(), {}, {"cores"})[0]) == "cores is not told, not 4"


def test_the_command_line_says_all_of_it() -> None:
    system = System(memory_mb=512, templates=False, keepalive=Choice(policy="ttl", options={"idle_s": 3.5}))
    found = " ".join(words(system))
    for part in (
        "--memory 512",
        "--cores 4",
        "--memory-limits watch",
        "worker.templates=false",
        "gateway.silent_s=3.0",
        "gateway.attempts=3",
        "worker.keepalive.policy=ttl",
        "control.placement.policy=kubernetes",
        "keepalive.options.idle_s=3.5",
    ):
        assert part in found


def test_what_one_server_cannot_be_is_refused() -> None:
    with pytest.raises(BadConfig, match="a server of its own has one"), server(System(workers=2)):
        pass


def test_faults_are_named() -> None:
    scenario = Scenario(
        name="x",
        workload=Workload(duration_s=1.0),
        functions=(FunctionPlan(name="f"),),
        faults=(Fault(kind="worker_crash", at_s=3.0), Fault(kind="partition", rate=2.0)),
    )
    assert not_applied(scenario) == ["worker_crash at 3 s", "partition 2 times an hour"]
