"""What NVIDIA's accelerators take, as nvidia-smi says it."""

from attacca.worker.core.energy.said import nvidia_watts
from attacca.worker.host.energy import programs
from attacca.worker.host.energy.types import Reading, SourceSilent

TIMEOUT_S = 10.0
HINT = "it comes with NVIDIA's driver"
QUERY = ("--query-gpu=index,power.draw", "--format=csv,noheader,nounits")


class Nvidia:
    name = "nvidia"

    def __init__(self) -> None:
        """
        Raises:
            SourceSilent: there is no nvidia-smi.
        """
        self._asking = programs.Asking([programs.found("nvidia-smi", HINT), *QUERY], TIMEOUT_S)

    def __repr__(self) -> str:
        return f"<Nvidia by {self._asking!r}>"

    def read(self, at: float) -> Reading:
        watts = nvidia_watts(self._asking.ask())
        if not watts:
            raise SourceSilent("nvidia-smi says no power", HINT)
        return Reading(watts=sum(watts.values()), parts=tuple((f"gpu{index}", one) for index, one in watts.items()))

    def close(self) -> None:
        self._asking.close()
