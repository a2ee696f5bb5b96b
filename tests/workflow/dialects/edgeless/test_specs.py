import msgspec
import pytest

from attacca.errors import BadRequest, Unsupported
from attacca.model.function import PythonDirectory, WasmModule
from attacca.model.workflow import Component, Output, Requirements, WorkflowSpec
from attacca.workflow.core.identities import of_node
from attacca.workflow.dialects.edgeless.specs import (
    FunctionAsked,
    ResourceAsked,
    WorkflowAsked,
    described,
    expect_runnable,
    expect_whole,
    spec,
)
from tests.cases import each

LOG = ResourceAsked(name="log", class_type="file-log", configuration={"filename": "x"})
F = FunctionAsked(name="f", function_type="RUST_WASM", binary=b"\0asm", mapping={"out": "log"})
CODE = {"f": WasmModule("digest")}


def annotated(**said: str) -> WorkflowSpec:
    asked = WorkflowAsked(functions=(msgspec.structs.replace(F, annotations=said),), resources=(LOG,))
    return spec(asked, CODE, {of_node("n1"): "n1"}, {"n1-redis": "redis"})


def test_what_is_asked_for_comes_back_as_its_tools_show_it() -> None:
    unmapped = FunctionAsked(name="g", function_type="PYTHON", binary=b"x", annotations={"init-payload": "8"})
    asked = WorkflowAsked(functions=(F, unmapped), resources=(LOG,))
    expect_whole(asked)
    made = spec(asked, {**CODE, "g": PythonDirectory("code")}, {}, {})
    assert [one.name for one in made.components] == ["f", "g", "log"]
    assert made.components[0].outputs == {"out": Output(to=("log",))}
    shown = described(made)
    assert [(one.name, one.function_type, one.mapping, one.annotations) for one in shown.functions] == [
        ("f", "RUST_WASM", {"out": "log"}, {}), ("g", "PYTHON", {}, {"init-payload": "8"}),
    ]  # fmt: skip
    assert shown.resources == (LOG,)


def test_where_an_output_leads_to_several_all_are_shown() -> None:
    both = Output(to=("a", "b"))
    made = WorkflowSpec(
        name="w", components=(Component(name="a", resource="x", outputs={"o": both}), Component(name="b", resource="x"))
    )
    assert described(made).resources[0].mapping == {"o": "a,b"}


@each(
    "asked, why",
    [
        (WorkflowAsked(), "neither functions nor resources"),
        (WorkflowAsked(functions=(FunctionAsked(name="", function_type="x"),)), "empty name in function"),
        (WorkflowAsked(resources=(ResourceAsked(name="r", class_type=""),)), "empty class type"),
        (WorkflowAsked(resources=(ResourceAsked(name="a b", class_type="x"),)), "cannot be one here"),
        (WorkflowAsked(functions=(F, F), resources=(LOG,)), "several components 'f'"),
        (WorkflowAsked(functions=(F,)), "'out' of 'f' leads to 'log', which is not there"),
        (WorkflowAsked(resources=(ResourceAsked(name="r", class_type="x", mapping={"": "r"}),)), "empty channel"),
    ],
)
def test_what_is_no_workflow_is_refused_with_why(asked: WorkflowAsked, why: str) -> None:
    with pytest.raises(BadRequest, match=why):
        expect_whole(asked)


@pytest.mark.parametrize(
    "asked", [FunctionAsked(name="f", function_type="CONTAINER"), FunctionAsked(name="f", function_type="RUST_WASM")]
)
def test_what_cannot_run_here_is_refused(asked: FunctionAsked) -> None:
    with pytest.raises(Unsupported):
        expect_runnable(asked)


def test_annotations_say_where_it_may_run() -> None:
    n1, other = of_node("n1"), of_node("n2")
    for said, wanted in (
        ({"node_id_match_any": f"{n1.upper()},not-a-uuid"}, Requirements(nodes=("n1",))),
        ({"node_id_match_any": "not-a-uuid"}, Requirements()),
        ({"node_id_match_any": other}, Requirements(nodes=(other,))),
        ({"label_match_all": "a,b"}, Requirements(labels=("a", "b"))),
        ({"label_match_all": ""}, Requirements(labels=("",))),
        ({"max_instances": "0x", "tee": "None", "unknown": "x"}, Requirements()),
        ({"max_instances": "3", "tee": "Required"}, Requirements(max_instances=3, tee=True)),
        ({"max_instances": "9" * 5000, "tpm": "required"}, Requirements(tpm=True)),
        ({"resource_match_all": "n1-redis,other"}, Requirements(resources=("redis", "other"))),
    ):
        assert annotated(**said).components[0].requires == wanted
    for all_of_them in (
        {"node_id_match_any": n1, "label_match_all": "a,b", "tee": "required", "init-payload": ""},
        {"tpm": "required", "max_instances": "2", "resource_match_all": "file-log"},
    ):
        assert described(annotated(**all_of_them)).functions[0].annotations == all_of_them


def test_a_value_that_is_too_large_is_refused() -> None:
    with pytest.raises(BadRequest, match="length"):
        annotated(**{"init-payload": "x" * ((1 << 20) + 1)})
