"""Which source of a machine's energy is asked."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from attacca.worker.host.energy.ipmi import Ipmi
from attacca.worker.host.energy.msr import Msr
from attacca.worker.host.energy.nvidia import Nvidia
from attacca.worker.host.energy.options import EnergyConfig
from attacca.worker.host.energy.perf import Perf
from attacca.worker.host.energy.powercap import Powercap
from attacca.worker.host.energy.tegra import Tegra
from attacca.worker.host.energy.types import Source, SourceSilent

Told = Callable[[str], None]  # of what a program says, line by line
Opener = Callable[[EnergyConfig, Told | None], Source]
OPENERS: dict[str, Opener] = {  # in the order in which they are tried: the finest first
    "powercap": lambda config, _: Powercap(Path(config.powercap)),
    "msr": lambda config, _: Msr(Path(config.msr)),
    "perf": lambda config, told: Perf(config.every_s, told),
    "tegra": lambda config, told: Tegra(config.every_s, told),
    "ipmi": lambda config, _: Ipmi(config.ipmi_host, config.ipmi_user, config.ipmi_password_file),
}
EVERY: dict[str, Opener] = {**OPENERS, "nvidia": lambda *_: Nvidia()}

ASKED_FIRST = ("ipmi",)  # that it is there says nothing: many have ipmitool, and nobody whom it could ask
AT_ONCE = ("powercap", "msr", "ipmi", "nvidia")  # the others say something a period later


def opened(config: EnergyConfig, told: Callable[[str, str], None] | None = None) -> Source:
    """`told`: is given the source's name and each line that its program says. One that is named may be silent for now;
    of "auto" it is passed over then.

    Raises:
        SourceSilent: it is not here; of "auto", none is.
    """
    is_any = config.source == "auto"
    for name in OPENERS if is_any else (config.source,):
        try:
            source = OPENERS[name](config, None if told is None else partial(told, name))
            if is_any and name in ASKED_FIRST:
                source.read(0.0)
        except SourceSilent:
            if not is_any:
                raise
        else:
            return source
    raise SourceSilent("this machine says nothing of its energy", "attacca doctor")


def opened_accelerators() -> Source | None:
    """None: there are none."""
    try:
        return Nvidia()
    except SourceSilent:
        return None


def all_opened(
    config: EnergyConfig, names: Iterable[str] | None = None, told: Callable[[str, str], None] | None = None
) -> tuple[list[Source], dict[str, SourceSilent]]:
    """Those of these names, or all that there are; and of those that cannot be asked, why. `told` as of `opened`."""
    found: list[Source] = []
    silent: dict[str, SourceSilent] = {}
    for name in dict.fromkeys(EVERY if names is None else names):
        try:
            found.append(EVERY[name](config, None if told is None else partial(told, name)))
        except SourceSilent as error:
            silent[name] = error
    return found, silent


def tried(config: EnergyConfig) -> dict[str, SourceSilent | None]:
    """Of each source, why it cannot be asked on this machine; None: it says something."""
    found: dict[str, SourceSilent | None] = {}
    for name, opener in EVERY.items():
        try:
            source = opener(config, None)
        except SourceSilent as error:
            found[name] = error
            continue
        found[name] = None
        if name in AT_ONCE:
            try:
                source.read(0.0)
            except SourceSilent as error:
                found[name] = error
        source.close()
    return found
