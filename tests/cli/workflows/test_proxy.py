"""What `attacca proxy` prints, in the forms of proxy_cli."""

import io
import json

import msgspec
import pytest
from rich.console import Console

from attacca.cli.workflows import proxy
from attacca.errors import BadRequest
from tests.cases import each
from tests.workflow.mirror.test_keys import LOG, NODE, PID, STATE, WORKFLOW, F

DICT = msgspec.to_builtins(STATE)
NAMES = proxy.node_names(DICT, "hostname")
SAMPLE = {"instance": "w.f.1", "id": PID, "metric": "function_execution_time", "at": 1725557090.0924, "value": 0.25}


@each(
    "what, lines",
    [
        ("functions", [f"{F} -> {NODE}"]),
        ("resources", []),
        ("logical-to-physical", [f"{LOG} -> ", f"{F} -> {PID}"]),
        ("logical-to-workflow", [f"{LOG} -> {WORKFLOW}", f"{F} -> {WORKFLOW}"]),
        (
            "node capabilities",
            [
                "n1 -> 2 AMD EPYC CPU(s) at 2596.5 BogoMIPS, 1 core(s), 24105 MiB memory, labels [hostname=n1,zone-a]"
                ", TEE, runtimes [PYTHON,RUST_WASM], disk space 258019 MiB"
            ],
        ),
        ("node resource-providers", [f"n1-file-log -> class_type file-log, node_id {NODE}, outputs []"]),
        (
            "node health",
            [
                "n1 -> memory free 2097152 kb, used 22586368 kb, available 2097152 kb, process cpu usage 12%, memory "
                "56744 kb, vmemory 257124 kb, load avg 1 minute 412% 5 minutes 267% 15 minutes 150%, network tot rx 9 "
                "bytes (8 pkts) 7 errs, tot tx 6 bytes (5 pkts) 4 errs, disk available 10485760 bytes, tot disk reads "
                "3 writes 2"
            ],
        ),
        ("node instances", ["n1", f"[F] {F}"]),
    ],
)
def test_it_shows_what_it_is_asked_for(what: str, lines: list[str]) -> None:
    assert what in proxy.SHOWN
    assert proxy.lines(what, DICT, NAMES) == lines


def test_nodes_are_told_as_one_likes() -> None:
    assert [proxy.node_names(DICT, form)["n1"] for form in ("hostname", "uuid", "labels")] == [
        "n1", NODE, "hostname=n1,zone-a",
    ]  # fmt: skip
    with pytest.raises(BadRequest, match="not told as"):
        proxy.node_names(DICT, "colour")


def test_intents_are_words() -> None:
    assert proxy.read(["migrate", F, "n1", "n2"]) == {"intent": "migrate", "component": F, "to": ["n1", "n2"]}
    assert proxy.read(["cordon", "n1"]) == {"intent": "cordon", "node": "n1"}
    assert proxy.read(["uncordon", "n1"]) == {"intent": "uncordon", "node": "n1"}
    for words in ([], ["migrate", "a"], ["cordon"], ["cordon", "a", "b"], ["scale", "a"]):
        with pytest.raises(BadRequest, match="no intent"):
            proxy.read(words)


def test_dumps_are_files_and_a_table() -> None:
    assert proxy.files_of([SAMPLE, SAMPLE]) == {
        f"function_execution_time-{PID}.dat": "0.25,1725557090.092\n0.25,1725557090.092\n"
    }
    assert proxy.csv(DICT, [SAMPLE, {**SAMPLE, "id": "gone"}]) == [
        "metric,name,lid,timestamp,value",
        f"function_execution_time,f,{F},1725557090.092400,0.25",
        "function_execution_time,,,1725557090.092400,0.25",
    ]
    files = proxy.files_of_instances(DICT)
    assert set(files) == {f"fun-{F}.json", f"res-{LOG}.json"}
    assert json.loads(files[f"fun-{F}.json"])["payload"] == "8"


def test_what_is_watched_is_a_table() -> None:
    def shown(picture: object) -> list[list[str]]:
        screen = Console(file=io.StringIO(), width=120)
        screen.print(picture)
        return [line.split() for line in screen.file.getvalue().splitlines()]  # type: ignore[attr-defined]

    assert shown(proxy.top_nodes(DICT))[1] == ["n1", "1", "4.12", "25%", "2048", "128"]
    instance = {**DICT["components"][0]["instances"][0], "handled": 4, "handled_s": 0.01, "waiting": 2}
    busy = {**DICT, "components": [{**DICT["components"][0], "instances": [instance]}]}
    assert shown(proxy.top_workflow(busy, "w"))[1:] == [["f", "home", "n1", "4", "2.5", "2"]]
    assert shown(proxy.top_workflow(busy, "other"))[1:] == []
