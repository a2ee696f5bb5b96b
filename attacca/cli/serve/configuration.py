"""Everything `attacca up` can be told, in one checked Struct, from defaults, a file, the environment and flags."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import msgspec
from msgspec.structs import replace

from attacca.cli.serve.cluster import (
    CONTROL_HTTP_PORT,
    CONTROL_PORT,
    FEDERATION_HTTP_PORT,
    FEDERATION_PORT,
    JOIN_TOKEN,
    LISTEN_FD,
    ClusterConfig,
)
from attacca.cli.serve.joints import WireConfig
from attacca.cli.serve.whole import check_of_cluster, check_whole
from attacca.control.config import ControlConfig
from attacca.control.core.policies import placement, scaling
from attacca.errors import BadConfig
from attacca.federation.config import FederationConfig
from attacca.gateway.config import GatewayConfig
from attacca.io.logbook import LogLimits
from attacca.io.otlp.collector import OtlpConfig
from attacca.io.store.address import parse
from attacca.io.store.config import StoreConfig
from attacca.io.timeseries.opening import SeriesConfig
from attacca.kernel import registry
from attacca.kernel import settings as layers
from attacca.kernel.settings import Given, Layer, Settled
from attacca.load.workload import choices
from attacca.policy.balancing import BALANCING
from attacca.policy.concurrency import CONCURRENCY
from attacca.policy.dispatch import DISPATCH
from attacca.policy.keepalive import KEEPALIVE
from attacca.policy.queueing import QUEUEING
from attacca.policy.slots import SLOTS
from attacca.worker.config import WorkerConfig
from attacca.worker.host.energy.options import EnergyConfig
from attacca.worker.host.memory import available_mb
from attacca.worker.host.nat.options import NatOptions
from attacca.worker.runtime.container.options import ContainerOptions
from attacca.worker.runtime.kubernetes.options import KubernetesOptions
from attacca.worker.runtime.microvm.options import MicroVmOptions
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.workflow.config import ResourceConfig, WorkflowsConfig
from attacca.workflow.mirror.addresses import address as mirror_address

FAMILIES = {  # where each is chosen
    "queueing": "worker.queueing",
    "concurrency": "worker.concurrency",
    "keepalive": "worker.keepalive",
    "balancing": "gateway.balancing",
    "slots": "gateway.slots",
    "scaling": "control.scaling",
    "placement": "control.placement",
}
CHOICES = (
    *FAMILIES.values(),
    "workflows.placement",
    "worker.accelerators.queueing",
    "worker.accelerators.dispatch",
)  # each a policy and its options
# They speak to the commands, not to the server.
NOT_SETTINGS = (
    "ATTACCA_URL", "ATTACCA_TOKEN", "ATTACCA_MIRRORS", "ATTACCA_CONFIG", "ATTACCA_CORES", JOIN_TOKEN, LISTEN_FD,
    "ATTACCA_WITHOUT",  # to the tests, which start servers
)  # fmt: skip
SHORT = {  # what may be said without its section, in a file, in the environment and with --set
    "state_dir": "control.state_dir",
    "secret_key_file": "control.secret_key_file",
    "isolation": "process.isolation",
    "memory_limits": "process.memory_limits",
    "host": "gateway.host",
    "port": "gateway.port",
    "public": "gateway.public",
    "memory_mb": "worker.memory_mb",
    "cores": "worker.cores",
    "telemetry": "worker.telemetry",
    **FAMILIES,
}
ISOLATIONS = ("process", "none")
MEMORY_SHARE = 0.75  # of what is free at the start; the rest is for the system, pages of files, and ourselves
MEMORY_LEAST_MB = 128


class ServerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    gateway: GatewayConfig = GatewayConfig()
    worker: WorkerConfig = WorkerConfig()
    process: ProcessOptions = ProcessOptions()
    container: ContainerOptions = ContainerOptions()
    microvm: MicroVmOptions = MicroVmOptions()
    kubernetes: KubernetesOptions = KubernetesOptions()
    nat: NatOptions = NatOptions()
    control: ControlConfig
    logs: LogLimits = LogLimits()
    wire: WireConfig = WireConfig()
    cluster: ClusterConfig = ClusterConfig()
    store: StoreConfig = StoreConfig()
    resources: ResourceConfig = ResourceConfig()
    workflows: WorkflowsConfig = WorkflowsConfig()
    federation: FederationConfig = FederationConfig()
    otlp: OtlpConfig = OtlpConfig()
    series: SeriesConfig = SeriesConfig()
    energy: EnergyConfig = EnergyConfig()
    log: Literal["text", "json"] = "text"  # what the planes say on stderr; json: a line is an object

    @property
    def of_sandboxes(self) -> ProcessOptions:
        """`process`, and what the rest says of it."""
        if self.process.is_traced is not None:
            return self.process
        return replace(self.process, is_traced=bool(self.otlp.url) and "traces" in self.otlp.signals)


def load(
    environ: Mapping[str, str],
    file: str = "",
    flags: Mapping[str, tuple[object, str]] | None = None,
    assignments: Iterable[str] = (),
    plane: str = "up",
) -> Settled[ServerConfig]:
    """Merge and check; policies are made once, so that a wrong name or option stops here. `plane` has defaults of its
    own: up, control, gateway, worker or federation.

    Raises:
        BadConfig: something is unknown or not allowed; it is named, with where it came from.
    """
    said: list[Layer] = [
        defaults(environ) | of_plane(environ, plane),
        _file(file or environ.get("ATTACCA_CONFIG", "")),
        layers.read_environment(environ, ignore=NOT_SETTINGS),
        layers.read_flags(flags or {}),
        layers.read_assignments(assignments),
    ]
    try:
        settled = layers.settle(ServerConfig, _with_one_policy([expand(layer) for layer in said]))
    except RecursionError:
        raise BadConfig("a setting is nested too deeply", "`attacca config` lists those that there are") from None
    parse(settled.value.store.url)
    if settled.value.workflows.mirror.url:
        mirror_address(settled.value.workflows.mirror)
    check_policies(settled.value.worker, settled.value.gateway, settled.value.control, settled.value.workflows)
    if settled.value.process.isolation not in ISOLATIONS:
        given = settled.origins["process.isolation"]
        raise BadConfig(
            f"process.isolation = {given.value!r} is not allowed (from {given.where})",
            "process, or none where the kernel gives no isolation and all code is trusted",
        )
    return settled


def check_policies(
    worker: WorkerConfig, gateway: GatewayConfig, control: ControlConfig, workflows: WorkflowsConfig
) -> None:
    check_whole(
        registry.build(QUEUEING, worker.queueing.policy, worker.queueing.options, "attacca.policy.queueing"),
        registry.build(
            CONCURRENCY, worker.concurrency.policy, worker.concurrency.options, "attacca.policy.concurrency"
        ),
        registry.build(KEEPALIVE, worker.keepalive.policy, worker.keepalive.options, "attacca.policy.keepalive"),
        registry.build(BALANCING, gateway.balancing.policy, gateway.balancing.options, "attacca.policy.balancing"),
    )
    devices = worker.accelerators
    registry.build(QUEUEING, devices.queueing.policy, devices.queueing.options, "attacca.policy.queueing")
    registry.build(DISPATCH, devices.dispatch.policy, devices.dispatch.options, "attacca.policy.dispatch")
    placement(workflows.placement)
    check_of_cluster(
        scaling(control.scaling),
        placement(control.placement),
        registry.build(SLOTS, gateway.slots.policy, gateway.slots.options, "attacca.policy.slots"),
    )


def expand(layer: Layer) -> dict[str, Given]:
    """Short keys in full: `port`, `keepalive = "lru"`, `worker.keepalive.ttl_s`."""
    expanded: dict[str, Given] = {}
    for key, given in layer.items():
        first, dot, rest = key.partition(".")
        expanded |= _in_full(SHORT[first] + dot + rest if first in SHORT else key, given)
    return expanded


def _in_full(key: str, given: Given) -> dict[str, Given]:
    """A policy may bring its options, as a study takes it: `ttl:idle_s=60`."""
    for choice in CHOICES:
        if key == choice and isinstance(given.value, str):
            chosen = choices.choice(given.value)
            options = [(f"{choice}.options.{name}", value) for name, value in chosen.options.items()]
            return {
                name: given._replace(value=value) for name, value in ((f"{choice}.policy", chosen.policy), *options)
            }
        if key.startswith(f"{choice}."):
            option = key.removeprefix(f"{choice}.")
            if option != "policy" and option.partition(".")[0] != "options":
                return {f"{choice}.options.{option}": given}
    return {key: given}


def defaults(environ: Mapping[str, str]) -> dict[str, Given]:
    """What depends on this machine and user."""
    cores = len(os.sched_getaffinity(0))
    givens = {
        "control.state_dir": Given(str(default_state_dir(environ)), layers.DEFAULT, ""),
        "worker.memory_mb": Given(
            max(int(available_mb() * MEMORY_SHARE), MEMORY_LEAST_MB),
            layers.DEFAULT,
            f"{MEMORY_SHARE:.0%} of what is free",
        ),
        "worker.cores": Given(cores, layers.DEFAULT, "all there are"),
    }
    control = ControlConfig(state_dir=default_state_dir(environ))
    plain = {"worker": WorkerConfig(), "gateway": GatewayConfig(), "control": control}
    for family, key in FAMILIES.items():
        choice = getattr(plain[key.partition(".")[0]], family)
        givens[f"{key}.policy"] = Given(choice.policy, layers.DEFAULT, "")
        for name, value in choice.options.items():
            givens[f"{key}.options.{name}"] = Given(value, layers.DEFAULT, "")
    return givens


def of_plane(environ: Mapping[str, str], plane: str) -> dict[str, Given]:
    """What is another default for a plane in a process of its own."""
    if plane == "control":
        return {
            "cluster.listen": Given(f"127.0.0.1:{CONTROL_PORT}", layers.DEFAULT, ""),
            "gateway.port": Given(CONTROL_HTTP_PORT, layers.DEFAULT, "of control"),
        }
    if plane == "federation":
        directory = default_state_dir(environ)
        return {
            "control.state_dir": Given(str(directory.with_name("attacca-federation")), layers.DEFAULT, "of one"),
            "cluster.listen": Given(f"127.0.0.1:{FEDERATION_PORT}", layers.DEFAULT, "of a federation"),
            "gateway.port": Given(FEDERATION_HTTP_PORT, layers.DEFAULT, "of a federation"),
        }
    if plane == "worker":
        directory = default_state_dir(environ)
        return {
            "control.state_dir": Given(str(directory.with_name("attacca-worker")), layers.DEFAULT, "of a worker"),
            "gateway.port": Given(0, layers.DEFAULT, "any, for its health and its metrics"),
        }
    return {}


def default_state_dir(environ: Mapping[str, str]) -> Path:
    home = environ.get("XDG_STATE_HOME") or str(Path(environ.get("HOME") or "~").expanduser() / ".local" / "state")
    return Path(home) / "attacca"


def where_state_is(flag: str, file: str = "") -> tuple[Path, StoreConfig]:
    """Where `attacca up` would keep its state, told the same: its directory, and its store.

    Raises:
        BadConfig: what it was told is not right.
    """
    flags = {"control.state_dir": (flag, "--state-dir")} if flag else {}
    config = load(os.environ, file, flags).value
    return Path(config.control.state_dir).expanduser(), config.store


def _file(name: str) -> Layer:
    if not name:
        return {}
    try:
        return layers.read_toml(Path(name).expanduser().read_text(), name)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadConfig(f"the settings in {name!r} cannot be read: {reason}", "--config FILE.toml") from None


def _with_one_policy(said: list[dict[str, Given]]) -> list[dict[str, Given]]:
    """A layer that names another policy than the layers before leaves their options behind: they were not for it.

    Options among the defaults are for the policy that nobody named: whoever names one gets it as it is.
    """
    for choice in CHOICES:
        current = None
        for index, layer in enumerate(said):
            given = layer.get(f"{choice}.policy")
            if given is not None:
                stale = said[:index] if given.value != current else said[:1] if index else []
                current = given.value
                for before in stale:
                    for key in [key for key in before if key.startswith(f"{choice}.options")]:
                        del before[key]
    return said
