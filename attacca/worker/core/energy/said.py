"""What programs say of power, read from their text; what is no such line is passed over."""

import re
from typing import NamedTuple

PLAUSIBLE_W = 100_000.0
DCMI = re.compile(r"\bInstantaneous power reading:[ \t]*(\d{1,9})[ \t]*Watts\b")
RAIL = re.compile(r"\b(VDD\w*|VIN_\w+|POM_5V_\w+|SYS5V|GPU|CPU|SOC|CV) (\d{1,7})(?:mW)?/\d{1,7}(?:mW)?(?!\S)")
INPUTS = ("VIN_SYS_5V0", "VDD_IN", "POM_5V_IN")  # the whole board, which the other rails are parts of
LINE_MOST = 4096


class PerfLine(NamedTuple):
    """One event in one interval: joules where `unit` says so, else a count."""

    at_s: float  # since perf began
    value: float
    unit: str
    event: str


def dcmi_watts(text: str) -> float | None:
    """Of `ipmitool dcmi power reading`. None: it says no power, as one without a sensor does by 0 too."""
    found = DCMI.search(text)
    watts = 0.0 if found is None else float(found[1])
    return watts if 0 < watts <= PLAUSIBLE_W else None


def perf_line(line: str) -> PerfLine | None:
    """Of `perf stat -I MS -x ,`: time, value, unit, event, and what is of no use here. None: no number is in it, as
    where an event is not supported or was not counted."""
    fields = line.strip().split(",")
    if len(fields) < 4 or len(line) > LINE_MOST:
        return None
    at_s, value = _number(fields[0]), _number(fields[1])
    if at_s is None or value is None:
        return None
    return PerfLine(at_s, value, fields[2].strip(), fields[3].strip())


def tegra_rails(line: str) -> dict[str, float]:
    """Watts by rail, of a line of tegrastats."""
    return {name: int(milliwatts) / 1000 for name, milliwatts in RAIL.findall(line[:LINE_MOST])}


def tegra_watts(rails: dict[str, float]) -> float | None:
    """Of the whole board, where a rail measures that; else of all rails together. None: there are none."""
    for name in INPUTS:
        if name in rails:
            return rails[name]
    return sum(rails.values()) if rails else None


def nvidia_watts(text: str) -> dict[str, float]:
    """Of `nvidia-smi --query-gpu=index,power.draw --format=csv,noheader,nounits`, by index. A device that does not say
    is left out."""
    found = {}
    for line in text.splitlines()[:256]:
        index, _, rest = line.partition(",")
        watts = _number(rest.strip())
        if index.strip().isdecimal() and watts is not None and 0 <= watts <= PLAUSIBLE_W:
            found[index.strip()] = watts
    return found


def _number(text: str) -> float | None:
    """Not negative, and finite."""
    if not re.fullmatch(r"\s*\d{1,18}(\.\d{1,12})?\s*", text, re.ASCII):
        return None
    return float(text)
