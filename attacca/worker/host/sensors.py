"""How fast processors run and how hot the machine is, where it says so; many virtual machines say neither."""

from pathlib import Path

MOST = 256  # files of each kind
HOTTEST_C = 200.0  # what is more than that no sensor has measured


class Sensors:
    """`sys`: where the kernel shows them. Which there are is looked for once; one that goes is left out."""

    def __init__(self, sys: Path = Path("/sys")) -> None:
        self._speeds = sorted(sys.glob("devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq"))[:MOST]
        zones = sorted(sys.glob("class/thermal/thermal_zone*/temp"))
        self._heats = [*zones, *sorted(sys.glob("class/hwmon/hwmon*/temp*_input"))][:MOST]

    def __repr__(self) -> str:
        return f"<Sensors {len(self._speeds)} of speed, {len(self._heats)} of heat>"

    def mhz(self) -> float:
        """Of the fastest processor; 0: none says it."""
        return max(self._read(self._speeds), default=0) / 1000

    def celsius(self) -> float:
        """Of the hottest place; 0: none says it."""
        return max((one / 1000 for one in self._read(self._heats) if 0 < one <= HOTTEST_C * 1000), default=0.0)

    def _read(self, paths: list[Path]) -> list[int]:
        found = []
        for path in paths[:]:
            try:
                found.append(int(path.read_text()))
            except ValueError:
                continue
            except OSError:
                paths.remove(path)
        return found
