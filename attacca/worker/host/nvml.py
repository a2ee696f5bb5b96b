"""What NVIDIA's library says of its accelerators, in the lines of nvidia-smi.

It is a program of its own, so that a library that hangs or falls takes nobody along: python nvml.py devices|watts
"""

import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

LIBRARY = "pynvml"
DRIVER = ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/dxg")  # one of them is there where its driver is
MIB, MW = 1 << 20, 1000.0


def can_answer(driver: Sequence[str] = DRIVER) -> bool:
    """Without asking, which takes a while: the driver and the package are here."""
    return any(map(os.path.exists, driver)) and importlib.util.find_spec(LIBRARY) is not None


def devices(library: Any) -> Iterator[str]:
    """Number of its file, UUID, memory in MiB, model. A device that is cut into slices is its slices: each has the
    number of the whole, and a UUID of its own."""
    for handle in _handles(library):
        number, model = library.nvmlDeviceGetMinorNumber(handle), _text(library.nvmlDeviceGetName(handle))
        for one in _slices(library, handle) or [handle]:
            total = library.nvmlDeviceGetMemoryInfo(one).total // MIB
            yield f"{number}, {_text(library.nvmlDeviceGetUUID(one))}, {total}, {model}"


def watts(library: Any) -> Iterator[str]:
    """Place in its list, watts."""
    for place, handle in enumerate(_handles(library)):
        try:
            yield f"{place}, {library.nvmlDeviceGetPowerUsage(handle) / MW:.2f}"
        except library.NVMLError:
            yield f"{place}, [N/A]"


def _handles(library: Any) -> Iterator[Any]:
    """One that has fallen off its bus is passed over."""
    for place in range(library.nvmlDeviceGetCount()):
        try:
            yield library.nvmlDeviceGetHandleByIndex(place)
        except library.NVMLError as error:
            sys.stderr.write(f"device {place}: {error}\n")


def _slices(library: Any, handle: Any) -> list[Any]:
    found = []
    try:
        is_cut, _ = library.nvmlDeviceGetMigMode(handle)
        places = library.nvmlDeviceGetMaxMigDeviceCount(handle) if is_cut else 0
    except library.NVMLError:  # it cannot be cut
        places = 0
    for place in range(places):
        try:
            found.append(library.nvmlDeviceGetMigDeviceHandleByIndex(handle, place))
        except library.NVMLError:  # nothing is there
            continue
    return found


def _text(told: str | bytes) -> str:
    """Older ones say bytes. A comma stays in the last field alone."""
    return told.decode(errors="replace") if isinstance(told, bytes) else told


def main(words: list[str]) -> int:
    """0: it has answered."""
    asked = {"devices": devices, "watts": watts}[words[0]]
    try:
        library = importlib.import_module(LIBRARY)
        library.nvmlInit()
    except Exception as error:  # noqa: BLE001 - whatever a library of somebody else's raises
        sys.stderr.write(f"{error}\n")
        return 1
    try:
        sys.stdout.writelines(f"{line}\n" for line in list(asked(library)))
    except library.NVMLError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
