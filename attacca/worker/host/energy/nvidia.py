"""What NVIDIA's accelerators take, as nvidia-smi says it, or NVIDIA's library where that program is not."""

import shutil
import subprocess
import sys

from attacca.worker.core.energy.said import nvidia_watts
from attacca.worker.host import nvml
from attacca.worker.host.energy import programs
from attacca.worker.host.energy.types import Reading, SourceSilent

TIMEOUT_S = 10.0
HINT = "it comes with NVIDIA's driver"
PROGRAM = "nvidia-smi"
LIBRARY_ASKED = [sys.executable, "-P", nvml.__file__, "watts"]
QUERY = ("--query-gpu=index,power.draw", "--format=csv,noheader,nounits")


def _has_library() -> bool:
    """And it answers. Blocking, for a moment."""
    if not nvml.can_answer():
        return False
    try:
        told = subprocess.run(LIBRARY_ASKED, capture_output=True, timeout=TIMEOUT_S, check=False, env=programs.plain())
    except (OSError, subprocess.SubprocessError):
        return False
    return told.returncode == 0


class Nvidia:
    name = "nvidia"

    def __init__(self) -> None:
        """
        Raises:
            SourceSilent: neither is there.
        """
        is_there = shutil.which(PROGRAM) is not None or not _has_library()
        asked = [programs.found(PROGRAM, HINT), *QUERY] if is_there else LIBRARY_ASKED
        self._asking = programs.Asking(asked, TIMEOUT_S)

    def __repr__(self) -> str:
        return f"<Nvidia by {self._asking!r}>"

    def read(self, at: float) -> Reading:
        watts = nvidia_watts(self._asking.ask())
        if not watts:
            raise SourceSilent("nvidia-smi says no power", HINT)
        return Reading(watts=sum(watts.values()), parts=tuple((f"gpu{index}", one) for index, one in watts.items()))

    def close(self) -> None:
        self._asking.close()
