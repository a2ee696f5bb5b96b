"""What sources of energy said, in the files that Ilúvatar's energy monitor writes, with its names, columns and times.

| file | columns |
|---|---|
| energy-rapl.log | timestamp, rapl_uj: microjoules of all packages and their memory, since the first row |
| energy-ipmi.log | timestamp, ipmi: watts |
| energy-perf.log | when it began, an empty line, then the lines of `perf stat -I` |
| tegrastats.log | the lines of tegrastats |
| process.log | timestamp, cpu_pct, cpu_time: as ps has them, of one process |
| energy-nvidia.log | timestamp, device, watts: not among the original's |
"""

import contextlib
import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple, TextIO

from attacca.errors import BadConfig
from attacca.worker.host.energy.types import Reading

LOG = logging.getLogger("attacca.energy")
MOST_BYTES = 64 << 20  # of a file; then it is kept as NAME.1, as is one that was there before, and begun anew
RAPL: Final = ("powercap", "msr")
HEADERS: Final = {
    "energy-rapl.log": "timestamp,rapl_uj\n",
    "energy-ipmi.log": "timestamp,ipmi\n",
    "energy-nvidia.log": "timestamp,device,watts\n",
    "process.log": "timestamp,cpu_pct,cpu_time\n",
}
LINES: Final = {"perf": "energy-perf.log", "tegra": "tegrastats.log"}


class Process(NamedTuple):
    """`share`: of one processor, since it began, as ps has it; `cpu_s`: that it has had."""

    share: float
    cpu_s: float


class Files:
    """Writers may be in several threads. A disk that is full, or gone, costs rows and nothing else."""

    def __init__(self, directory: Path | str) -> None:
        """
        Raises:
            BadConfig: nothing can be written there.
        """
        self._directory = Path(directory).expanduser()
        self._files: dict[str, TextIO] = {}
        self._lock = threading.Lock()
        self._has_complained = False
        self.rows = 0
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            (self._directory / ".attacca").touch()
            (self._directory / ".attacca").unlink()
        except OSError as error:
            reason = f"nothing can be written to {self._directory}: {error.strerror}"
            raise BadConfig(reason, "another directory, or its owner's rights") from None

    def __repr__(self) -> str:
        return f"<Files {len(self._files)} open, {self.rows} rows>"

    def write(self, source: str, reading: Reading, wall: float) -> None:
        """`wall`: seconds since 1970. What a program says in lines comes by `line`."""
        when = timestamp(wall)
        if source in RAPL and reading.joules is not None:
            self._put("energy-rapl.log", f"{when},{round(reading.joules * 1e6)}\n", wall)
        elif source == "ipmi" and reading.watts is not None:
            self._put("energy-ipmi.log", f"{when},{reading.watts:g}\n", wall)
        elif source == "nvidia":
            rows = "".join(f"{when},{device},{watts:g}\n" for device, watts in reading.parts)
            self._put("energy-nvidia.log", rows, wall)

    def line(self, source: str, line: str, wall: float) -> None:
        """Of perf, or of tegrastats."""
        self._put(LINES[source], line.rstrip("\n") + "\n", wall)

    def process(self, process: Process, wall: float, name: str = "process.log") -> None:
        row = f"{timestamp(wall)},{process.share * 100:.1f},{clock_time(process.cpu_s)}\n"
        self._put(name, row, wall)

    def close(self) -> None:
        with self._lock, self._complaining():
            for file in self._files.values():
                file.close()
            self._files.clear()

    def _put(self, name: str, text: str, wall: float) -> None:
        with self._lock, self._complaining():
            file = self._files.get(name)
            if file is not None and file.tell() > MOST_BYTES:
                file.close()
                del self._files[name]
                file = None
            if file is None:
                self._set_aside(name)
                file = self._files[name] = (self._directory / name).open("w", buffering=1, encoding="utf-8")
                file.write(_header(name, wall))
            file.write(text)
            self.rows += text.count("\n")

    def _set_aside(self, name: str) -> None:
        """One that is full, or that somebody before us has written."""
        with contextlib.suppress(FileNotFoundError):
            (self._directory / name).rename(self._directory / f"{name}.1")

    @contextlib.contextmanager
    def _complaining(self) -> Iterator[None]:
        """Once."""
        try:
            yield
        except OSError as error:
            if not self._has_complained:
                self._has_complained = True
                LOG.warning("energy: %s cannot be written: %s", self._directory, error.strerror)


def timestamp(wall: float) -> str:
    """Local time, as the original has it."""
    return datetime.fromtimestamp(wall, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S.%f")


def clock_time(seconds: float) -> str:
    """[DD-]hh:mm:ss, as ps has it."""
    whole = int(seconds)
    days, rest = divmod(whole, 86_400)
    text = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days:02}-{text}" if days else text


def _header(name: str, wall: float) -> str:
    if name == "energy-perf.log":
        began = datetime.fromtimestamp(wall, UTC).astimezone()
        return f"# started on {began:%a %b %e %H:%M:%S %Y}\n\n"
    if name.startswith("process-"):
        return HEADERS["process.log"]
    return HEADERS.get(name, "")
