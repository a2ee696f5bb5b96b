"""What the rails of a Jetson take, as tegrastats says it."""

from collections.abc import Callable

from attacca.worker.core.energy.said import tegra_rails, tegra_watts
from attacca.worker.host.energy import programs
from attacca.worker.host.energy.types import Reading, SourceSilent


class Tegra:
    """`every_s`: how often tegrastats looks. `told`: is given each line as it is."""

    name = "tegra"

    def __init__(self, every_s: float, told: Callable[[str], None] | None = None) -> None:
        """
        Raises:
            SourceSilent: there is no tegrastats.
        """
        self.line = ""  # the latest
        self._told = told
        path = programs.found("tegrastats", "it comes with NVIDIA's Jetson")
        self._stream = programs.Streaming([path, "--interval", str(max(int(every_s * 1000), 1))], self._hear)

    def __repr__(self) -> str:
        return f"<Tegra {len(tegra_rails(self.line))} rails, {self._stream!r}>"

    def read(self, at: float) -> Reading:
        rails = tegra_rails(self.line)
        watts = tegra_watts(rails)
        if watts is None or not self._stream.is_running:
            raise SourceSilent(
                "tegrastats has said no power yet" if self._stream.is_running else "tegrastats has ended"
            )
        return Reading(watts=watts, parts=tuple(sorted(rails.items())))

    def close(self) -> None:
        self._stream.close()

    def _hear(self, line: str) -> None:
        self.line = line.rstrip("\n")
        if self._told is not None:
            self._told(line)
