"""Which kinds of code this machine runs, and which networks it can give the sandboxes of each."""

import os
from collections.abc import Iterable
from pathlib import Path

from attacca.errors import IsolationMissing
from attacca.model.function import Artefact, Image, MicroVm, Network, PodImage
from attacca.worker.host.nat.outside import lacking
from attacca.worker.runtime.container.keeping import PROGRAMS, engine_of
from attacca.worker.runtime.container.options import ContainerOptions
from attacca.worker.runtime.microvm.cards import lacking as no_card
from attacca.worker.runtime.microvm.needs import choose
from attacca.worker.runtime.microvm.options import MicroVmOptions
from attacca.worker.runtime.process.options import ProcessOptions

PLAIN = (Network.HOST.value, Network.NONE.value)
WITHOUT_NAT = ("docker",)  # a container's network is the engine's, and there only once it runs


def networks(
    kinds: Iterable[type[Artefact]], process: ProcessOptions, container: ContainerOptions
) -> dict[str, tuple[str, ...]]:
    """By what each is called (`Artefact.what`), for `Machine.networks`. Blocking, for a moment."""
    has_way_out = lacking() is None
    found = {}
    for kind in kinds:
        if kind is Image:
            if _has_engine(container):
                found[kind.what] = _with_nat(is_there=has_way_out and container.engine not in WITHOUT_NAT)
        elif kind is MicroVm:
            has_card = has_way_out and no_card() is None
            found[kind.what] = (Network.NAT.value, Network.NONE.value) if has_card else (Network.NONE.value,)
        elif kind is PodImage:
            found[kind.what] = _with_nat(is_there=True)
        else:
            found[kind.what] = _with_nat(is_there=has_way_out and process.isolation != "none")
    return found


def makers(kinds: Iterable[type[Artefact]], container: ContainerOptions, microvm: MicroVmOptions) -> dict[str, str]:
    """Likewise, what makes the sandboxes of each that is here; empty: we do. For `Machine.makers`."""
    found = {}
    for kind in kinds:
        if kind is PodImage:
            found[kind.what] = "Kubernetes"
        elif kind is not Image:
            found[kind.what] = _monitor(microvm) if kind is MicroVm else ""
        elif _has_engine(container):
            is_daemon = container.engine not in ("auto", *PROGRAMS)
            found[kind.what] = container.engine if is_daemon else Path(engine_of(container.engine)).name
    return found


def _monitor(microvm: MicroVmOptions) -> str:
    if choose(microvm) == "firecracker":
        return f"{Path(microvm.firecracker).name}, kvm"
    return f"{Path(microvm.qemu).name}, {microvm.accelerator}"


def _with_nat(*, is_there: bool) -> tuple[str, ...]:
    return tuple(sorted((*PLAIN, Network.NAT.value))) if is_there else PLAIN


def _has_engine(container: ContainerOptions) -> bool:
    """A daemon may begin later than we do."""
    if os.geteuid() != 0:
        return False
    if container.engine not in ("auto", *PROGRAMS):
        return True
    try:
        engine_of(container.engine)
    except IsolationMissing:
        return False
    return True
