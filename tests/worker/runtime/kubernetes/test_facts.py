import msgspec

from attacca.model.function import Settings
from attacca.worker.runtime.kubernetes.facts import Pod, PodEnd, ending, held_up, hopeless
from tests.cases import each

SETTINGS = Settings(name="f", memory_mb=64)


def pod(phase: str = "Pending", state: object = None, **status: object) -> Pod:
    told = [{"name": "function", "state": state}] if state else []
    other = {"name": "istio-proxy", "state": {"terminated": {"exitCode": 1}}}
    return msgspec.convert(
        {"metadata": {"name": "p"}, "status": {"phase": phase, "containerStatuses": [other, *told], **status}}, Pod
    )


@each(
    "found, end",
    [
        (
            pod("Failed", {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}),
            PodEnd("out_of_memory", "it went over its memory of 64 MB"),
        ),
        (pod("Failed", {"terminated": {"exitCode": 3}}), PodEnd("", "its process exited with status 3")),
        (pod("Succeeded", {"terminated": {"exitCode": 0}}), PodEnd("", "its process exited with status 0")),
        (pod("Running", {"terminated": {"signal": 9}}), PodEnd("", "its process was killed by signal 9")),
        (
            pod("Failed", reason="Evicted", message="The node was low on resource: memory."),
            PodEnd("sandbox_lost", "its pod was ended: Evicted: The node was low on resource: memory."),
        ),
        (pod("Failed"), PodEnd("sandbox_lost", "its pod is Failed")),
        (
            pod("Failed", {"terminated": {"exitCode": 128, "reason": "StartError", "message": "no such file"}}),
            PodEnd("start_failed", "the cluster could not start it: StartError: no such file"),
        ),
    ],
)
def test_why_one_has_ended(found: Pod, end: PodEnd) -> None:
    assert found.is_over
    assert ending(found, SETTINGS) == end


def test_what_is_beside_its_container_says_nothing_of_it() -> None:
    assert not pod("Running").is_over
    assert not pod("Running").runs
    assert pod("Running", {"running": {}}).runs


@each(
    "reason, is_hopeless",
    [
        ("ImagePullBackOff", True),
        ("ErrImagePull", False),
        ("InvalidImageName", True),
        ("CreateContainerConfigError", True),
        ("ContainerCreating", False),
        ("PodInitializing", False),
    ],
)
def test_what_will_never_begin(reason: str, is_hopeless: bool) -> None:  # noqa: FBT001 - a case's
    found = hopeless(pod(state={"waiting": {"reason": reason, "message": "because"}}))
    assert (found is not None) is is_hopeless
    if found is not None:
        assert found.code == "start_failed"
        assert found.message.startswith(f"the cluster cannot start it: {reason}: because (")
    assert hopeless(pod()) is None


@each(
    "found, words",
    [
        (None, "the cluster has not said that its pod is there"),
        (pod(), "it has no address"),
        (pod(podIP="10.0.0.1"), ""),
        (pod(state={"waiting": {"reason": "ErrImagePull"}}), "its container waits: ErrImagePull"),
        (
            pod(
                conditions=[
                    {"type": "Ready", "status": "False"},
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "reason": "Unschedulable",
                        "message": "0/3 nodes\n are",
                    },
                ]
            ),
            "no node takes it: Unschedulable: 0/3 nodes are",
        ),
    ],
)
def test_what_one_waits_for(found: Pod | None, words: str) -> None:
    assert held_up(found) == words
