"""The runtime for containers beside the one for processes, with which it has ways out and whoever is looked at."""

from collections.abc import Mapping
from pathlib import Path

from attacca.kernel.clock import Clock
from attacca.model.function import Artefact, Image
from attacca.worker.runtime.container.images import Images
from attacca.worker.runtime.container.options import ContainerOptions
from attacca.worker.runtime.container.runtime import ContainerRuntime
from attacca.worker.runtime.process.description import Secret
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.runtime import ProcessRuntime
from attacca.worker.runtime.types import Runtime

FILE = "containers-ahead.json"  # below `directory`


def containers(
    processes: ProcessRuntime,
    images: Images,
    options: ContainerOptions,
    shared: ProcessOptions,
    clock: Clock,
    secret: Secret,
    directory: Path,
) -> Mapping[type[Artefact], Runtime]:
    """By the kind that it is for."""
    common = processes.common
    made = ContainerRuntime(images, options, shared, clock, secret, common.nat, directory / FILE)
    common.keep(made.containers)
    return {Image: made}
