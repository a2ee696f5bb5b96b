"""Workflows of EDGELESS, with what their authors declare wrongly."""

import json
from pathlib import Path
from typing import Any

import pytest

from attacca.client.workflow_file import read
from attacca.errors import AttaccaError
from attacca.model.workflow import Requirements
from tests.cases import each


def graph() -> dict[str, Any]:
    made = {"id": "counting", "function_type": "RUST_WASM", "version": "0.1", "outputs": ["out", "err"], "build": "b"}
    counter = {
        "name": "my_counter",
        "class_specification": {**made, "code": "../classes/counter.wasm"},
        "output_mapping": {"out": "my-log", "undeclared": "my-log"},
        "annotations": {
            "init-payload": "a=1",
            "label_match_all": "fast,near",
            "colour": "red",
            "tee": "Required",
            "tpm": "no",
            "max_instances": "3",
            "node_id_match_any": "",
        },
    }
    log = {
        "name": "my-log",
        "class_type": "file-log",
        "output_mapping": {},
        "configurations": {"filename": "my.log", "node_id_match_any": "w1"},
    }
    return {"functions": [counter], "resources": [log], "annotations": {"of": "nobody"}, "more": 1}


def written(directory: Path, told: dict[str, Any]) -> Path:
    (directory / "classes").mkdir()
    (directory / "classes" / "counter.wasm").touch()
    (directory / "My 1st flow").mkdir()
    file = directory / "My 1st flow" / "workflow.json"
    file.write_text(json.dumps(told))
    return file


def test_it_is_read_as_it_is(tmp_path: Path) -> None:
    file = written(tmp_path, graph())
    source = read(file.parent)
    assert source == read(file)
    counter, log = source.spec({"my_counter": {"type": "wasm", "digest": "abc"}}).components
    assert (source.name, counter.payload) == ("my-1st-flow", "a=1")
    assert counter.requires == Requirements(labels=("fast", "near"), tee=True, max_instances=3)
    assert {channel: output.to for channel, output in counter.outputs.items()} == dict.fromkeys(
        ("out", "undeclared"), ("my-log",)
    )
    assert source.code["my_counter"].resolve() == tmp_path / "classes" / "counter.wasm"
    assert (log.resource, log.configuration, log.requires.nodes) == ("file-log", {"filename": "my.log"}, ("w1",))
    assert source.notes == (
        "annotation 'of' of the workflow: ignored",
        "my_counter: its class does not declare undeclared",
        "my_counter: these outputs lead nowhere: err",
        "my_counter: the annotation 'colour' is ignored",
    )


def test_a_workflow_is_called_as_its_file_is_or_its_directory(tmp_path: Path) -> None:
    file = written(tmp_path, graph())
    assert read(file.rename(file.with_name("chain_of_3.json"))).name == "chain-of-3"
    assert read(file.with_name("chain_of_3.json").rename(file.with_name("123.json"))).name == "workflow"


@each(
    "change, says",
    [
        ({"function_type": "CONTAINER"}, "my_counter is of CONTAINER, which does not run here"),
        ({"code": None}, "the class of my_counter has no code"),
        ({"code": "x.wasm"}, "x.wasm', does not exist"),
        ({"outputs": "out"}, "Expected `array`, got `str`"),
        ({"id": ""}, "length >= 1 - at `$.functions[0].class_specification.id`"),
    ],
)
def test_a_class_that_cannot_run_is_refused(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    told = graph()
    told["functions"][0]["class_specification"].update(change)
    with pytest.raises(AttaccaError) as refusal:
        read(written(tmp_path, told))
    assert says in refusal.value.message


@each(
    "kind, change, says",
    [
        ("resources", {"name": "my_counter"}, "there are several components 'my_counter'"),
        ("functions", {"output_mapping": {"out": "nobody"}}, "leads to 'nobody', which is not there"),
        ("functions", {"output_mapping": {"": "my-log"}}, "length >= 1"),
        ("resources", {"class_type": ""}, "length >= 1"),
        ("resources", {"configurations": {"filename": 1}}, "Expected `str`"),
    ],
)
def test_a_graph_that_makes_no_sense_is_refused(tmp_path: Path, kind: str, change: dict[str, Any], says: str) -> None:
    told = graph()
    told[kind][0].update(change)
    with pytest.raises(AttaccaError) as refusal:
        read(written(tmp_path, told))
    assert says in refusal.value.message
