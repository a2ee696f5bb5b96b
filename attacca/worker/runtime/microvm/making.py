"""The runtime for micro-VMs beside the one for processes, where the machine has what they need."""

from collections.abc import Mapping
from pathlib import Path

from attacca.kernel.clock import Clock
from attacca.model.function import Artefact, MicroVm
from attacca.worker.runtime.code_store import CodeStore
from attacca.worker.runtime.microvm.needs import lacking
from attacca.worker.runtime.microvm.options import MicroVmOptions
from attacca.worker.runtime.microvm.runtime import MicroVmRuntime
from attacca.worker.runtime.process.description import Secret
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.runtime import ProcessRuntime
from attacca.worker.runtime.types import Runtime

PLACE = "microvms"  # below `directory`, where the settings say nothing else


def micro_vms(
    processes: ProcessRuntime,
    store: CodeStore,
    options: MicroVmOptions,
    shared: ProcessOptions,
    directory: Path,
    clock: Clock,
    secret: Secret,
) -> Mapping[type[Artefact], Runtime]:
    """By the kind that it is for; nothing, where there can be none."""
    if lacking(options):
        return {}
    return {MicroVm: MicroVmRuntime(store, options, shared, directory / PLACE, clock, secret, processes.common)}
