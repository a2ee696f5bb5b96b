import pytest

from attacca.model.function import PythonDirectory
from attacca.model.machine import Machine
from attacca.model.resources import Resources
from attacca.model.workflow import Component, Requirements, WorkflowSpec
from attacca.workflow.core.requirements import latency_ms, too_far, unfit
from tests.cases import each
from tests.workflow.core.stage import function

MACHINE = Machine(
    processors=4, cores=2, memory_mb=8000, labels=("gpu", "zone=a"), tpm=True, resources=("file-log",),
    latency_ms={"n2": 2.0, "n3": 40.0},
)  # fmt: skip


def required(**options: object) -> Component:
    return Component(
        name="a",
        resource=str(options.pop("resource", "file-log")),
        requires=Requirements(**options),  # type: ignore[arg-type]
    )


@each(
    "component, why",
    [
        (required(), ""),
        (required(nodes=("n1", "n9")), ""),
        (required(nodes=("n8", "n9")), "it is none of n8, n9"),
        (required(labels=("zone=a", "gpu")), ""),
        (required(labels=("gpu", "zone=b")), "it has no label 'zone=b'"),
        (required(resources=("file-log",)), ""),
        (required(resources=("file-log", "redis")), "it has no resource 'redis'"),
        (required(resource="redis"), "it has no resource 'redis'"),
        (required(tpm=True), ""),
        (required(tee=True), "it runs in no trusted environment (tee)"),
        (required(memory_mb=8000, cpus=4), ""),
        (required(memory_mb=8001), "its machine has 8000 MB, not 8001"),
        (required(cpus=4.5), "its machine has 4 processors, not 4.5"),
    ],
)
def test_a_node_fits_or_it_is_said_why_not(component: Component, why: str) -> None:
    assert unfit("n1", MACHINE, Resources(1000), component, Resources(32)) == why


def test_what_nobody_has_said_is_hosted_and_room_is_needed() -> None:
    assert unfit("n1", Machine(), Resources(1000), required(), Resources(32)) == ""
    assert unfit("n1", MACHINE, Resources(16), required(), Resources(32)) == "it has not 32 MB for it"
    assert unfit("n1", Machine(tpm=False), Resources(64), required(tpm=True), Resources(32)) == "it has no tpm"
    assert unfit("n1", MACHINE, Resources(64, 1.0), required(), Resources(32, 2.0)) == "it is too small"


def test_code_runs_where_its_kind_may_be_an_event_function() -> None:
    code = Component(name="a", artefact=PythonDirectory("d" * 40))
    for events, why in (
        (None, ""), ((PythonDirectory.what,), ""), ((), "a directory of Python cannot be an event function there"),
    ):  # fmt: skip
        assert unfit("n1", Machine(events=events), Resources(1000), code, Resources(32)) == why
        assert unfit("n1", Machine(events=events), Resources(1000), required(), Resources(32)) == ""


def test_what_is_near_has_said_so_or_is_the_same_node() -> None:
    machines = {"n1": MACHINE, "n2": Machine(latency_ms={"n1": 3.0}), "n3": Machine(), "n4": Machine()}
    assert [latency_ms("n1", other, machines) for other in ("n1", "n2", "n3", "n4")] == [0.0, 3.0, 40.0, float("inf")]
    component = required(near={"b": 10.0})
    assert too_far(component, "n1", machines, {"b": ["n2"]}) == ""
    assert too_far(component, "n1", machines, {"b": ["n3"]}) == "it is more than 10 ms from b on n3"
    assert too_far(component, "n1", machines, {"b": ["n3", "n1"]}) == "", "one of its replicas is"
    assert too_far(component, "n4", machines, {}) == "", "it runs nowhere yet"


def test_what_contradicts_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="a has 3 replicas, and max_instances is 2"):
        Component(name="a", resource="file-log", replicas=3, requires=Requirements(max_instances=2))
    with pytest.raises(ValueError, match="a is to be near 'b', which is not there"):
        WorkflowSpec(name="w", components=(required(near={"b": 1.0}),))
    assert Component(name="a", resource="x", replicas=2, requires=Requirements(max_instances=2)).replicas == 2
    assert function("a").replicas == 1
