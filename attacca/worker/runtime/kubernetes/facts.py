"""What is read of a pod, and what it means for a sandbox. Pure.

The fields are those of https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/, read from JSON
as they are.
"""

import msgspec

from attacca.model.function import Settings

NAME = "function"  # of the one container of each pod
HOPELESS = {  # reasons for which a container waits, and no waiting will help; and what to try
    "InvalidImageName": "see the function's image",
    "ErrImageNeverPull": "see the function's image",
    "ImageInspectError": "see the function's image",
    "ImagePullBackOff": "see that the cluster can pull it: its name, and kubernetes.image_pull_secret of the server",
    "CreateContainerConfigError": "give its image a USER that is a number and not 0, or set kubernetes.root of the "
    "server",
    "CreateContainerError": "see that the image names a program",
    "RunContainerError": "see that the image names a program that is there",
    "StartError": "see that the image names a program that is there",
}
OUT_OF_MEMORY, EVICTED, UNSCHEDULABLE = "OOMKilled", "Evicted", "Unschedulable"
SAID_MOST = 300


class OwnerReference(msgspec.Struct, frozen=True):
    name: str = ""
    uid: str = ""


class Metadata(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    uid: str = ""
    resource_version: str = ""
    labels: dict[str, str] = {}
    owner_references: tuple[OwnerReference, ...] = ()
    deletion_timestamp: str | None = None


class Ended(msgspec.Struct, frozen=True, rename="camel"):
    exit_code: int = 0
    signal: int = 0
    reason: str = ""
    message: str = ""


class HeldUp(msgspec.Struct, frozen=True):
    reason: str = ""
    message: str = ""


class Began(msgspec.Struct, frozen=True, rename="camel"):
    started_at: str | None = None


class ContainerState(msgspec.Struct, frozen=True):
    waiting: HeldUp | None = None
    running: Began | None = None
    terminated: Ended | None = None


class ContainerStatus(msgspec.Struct, frozen=True):
    name: str = ""
    state: ContainerState = ContainerState()


class Condition(msgspec.Struct, frozen=True):
    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""


class PodStatus(msgspec.Struct, frozen=True, rename="camel"):
    phase: str = "Pending"
    reason: str = ""
    message: str = ""
    pod_ip: str = msgspec.field(name="podIP", default="")
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()


class Pod(msgspec.Struct, frozen=True):
    metadata: Metadata
    status: PodStatus = PodStatus()

    @property
    def of(self) -> ContainerState:
        """Its one container."""
        found = [one.state for one in self.status.container_statuses if one.name == NAME]
        return found[0] if found else ContainerState()

    @property
    def is_over(self) -> bool:
        return self.status.phase in ("Failed", "Succeeded") or self.of.terminated is not None

    @property
    def runs(self) -> bool:
        return self.of.running is not None


class PodList(msgspec.Struct, frozen=True):
    """Of one page."""

    class Page(msgspec.Struct, frozen=True, rename="camel"):
        resource_version: str = ""
        continue_: str = msgspec.field(name="continue", default="")

    metadata: Page = Page()
    items: tuple[Pod, ...] = ()


class PodEnd(msgspec.Struct, frozen=True):
    """`code` empty: it ended by itself."""

    code: str
    message: str


def ending(pod: Pod, settings: Settings) -> PodEnd:
    """Of one that is over."""
    over, status = pod.of.terminated, pod.status
    if over is not None and over.reason == OUT_OF_MEMORY:
        return PodEnd("out_of_memory", f"it went over its memory of {settings.memory_mb} MB")
    if status.reason:  # Evicted, Preempting, NodeLost, DeadlineExceeded, UnexpectedAdmissionError and the like
        return PodEnd("sandbox_lost", _said(f"its pod was ended: {status.reason}", status.message))
    if over is None:
        return PodEnd("sandbox_lost", f"its pod is {status.phase}")
    if over.reason in HOPELESS:
        return PodEnd("start_failed", _said(f"the cluster could not start it: {over.reason}", over.message))
    if over.signal:
        return PodEnd("", f"its process was killed by signal {over.signal}")
    return PodEnd("", f"its process exited with status {over.exit_code}")


def hopeless(pod: Pod) -> PodEnd | None:
    """Why it will never begin."""
    waits = pod.of.waiting
    if waits is None or waits.reason not in HOPELESS:
        return None
    said = _said(f"the cluster cannot start it: {waits.reason}", waits.message)
    return PodEnd("start_failed", f"{said} ({HOPELESS[waits.reason]})")


def held_up(pod: Pod | None) -> str:
    """What it waits for, of one that has not begun."""
    if pod is None:
        return "the cluster has not said that its pod is there"
    waits = pod.of.waiting
    for condition in pod.status.conditions:
        if condition.type == "PodScheduled" and condition.status == "False":
            return _said(f"no node takes it: {condition.reason}", condition.message)
    if waits is not None:
        return _said(f"its container waits: {waits.reason}", waits.message)
    return "" if pod.status.pod_ip else "it has no address"


def _said(what: str, more: str) -> str:
    more = " ".join(more.split())[:SAID_MOST]
    return f"{what}: {more}" if more else what
