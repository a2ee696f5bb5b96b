"""Whether a worker asks its machine for what it spends, whom it asks, and how it shares what it is told."""

from typing import Annotated, Literal

import msgspec

from attacca.worker.core.energy.attribution import IdleBy

Watts = Annotated[float, msgspec.Meta(ge=0, le=100_000)]
Period = Annotated[float, msgspec.Meta(ge=0.05, le=60)]
SourceName = Literal["powercap", "msr", "perf", "ipmi", "tegra"]


class EnergyConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Off unless a source is named."""

    source: Literal["off", "auto", "powercap", "msr", "perf", "ipmi", "tegra"] = "off"  # auto: the first that is there
    every_s: Period = 1.0  # between two looks
    idle_w: Watts | None = None  # of a machine that does nothing; unset: reckoned
    idle_by: IdleBy = IdleBy.MEMORY  # by what that is shared among sandboxes
    accelerators: bool = False  # ask nvidia-smi too; it is shown, and reckoned to nobody
    powercap: str = "/sys/class/powercap"  # where the kernel shows its counters
    msr: str = "/dev/cpu"  # where processors show their registers
    ipmi_host: str = ""  # whose controller is asked over the network; empty: this machine's own
    ipmi_user: str = ""
    ipmi_password_file: str = ""
    log_dir: str = ""  # what was read is written there, in Ilúvatar's files; empty: nowhere

    @property
    def is_on(self) -> bool:
        return self.source != "off"
