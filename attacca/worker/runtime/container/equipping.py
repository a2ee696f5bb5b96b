"""A container's specification with the devices that it was given, as files of the Container Device Interface say it."""

import os
from collections.abc import Sequence
from typing import Any

from attacca.errors import BadFunction, StartFailed
from attacca.model.function import Settings
from attacca.worker.host.cdi import DIRECTORIES, Edits, File, applied, edits_of, read

SLICE = "MIG-"  # of one that is cut: the number is that of the whole, which nobody was promised
OF_SLICES = "have nvidia-ctk cdi generate write it anew, with --device-name-strategy=uuid"
HINT = "look into /etc/cdi and /var/run/cdi; for NVIDIA's, nvidia-ctk cdi generate writes them anew"


def expect_devices(engine: str) -> None:
    """
    Raises:
        BadFunction: it has none to give.
    """
    if engine == "runsc":
        raise BadFunction("gVisor's kernel has no accelerators", "leave out gpu, or have another container.engine")


def equipped(
    spec: dict[str, Any],
    settings: Settings,
    kind: str,
    directories: Sequence[str] = DIRECTORIES,
    file: File = os.stat,
) -> dict[str, Any]:
    """The same where no file tells of devices of that kind. Blocking, for a moment.

    Raises:
        StartFailed: a device is in none of them, or not as it says.
    """
    names = _listed(settings, "CUDA_VISIBLE_DEVICES")
    described = read(directories) if names and kind else []
    if not any(one.kind == kind for one in described):
        return spec
    numbers = _listed(settings, "NVIDIA_VISIBLE_DEVICES")
    edits: list[Edits] = []
    for name, number in zip(names, numbers, strict=True):
        called = (name,) if name.startswith(SLICE) else (name, number)
        found = edits_of(described, kind, called)
        if not found:
            missing = ", nor ".join(f"{kind}={one}" for one in called)
            raise StartFailed(f"no file of CDI has a device {missing}", HINT if len(called) > 1 else OF_SLICES)
        edits += found
    try:
        return applied(spec, edits, file)
    except (OSError, ValueError) as error:
        raise StartFailed(f"a device of {kind} is not as its file of CDI says: {error}", HINT) from None


def _listed(settings: Settings, variable: str) -> list[str]:
    return [one for one in settings.env.get(variable, "").split(",") if one] if settings.gpu else []
