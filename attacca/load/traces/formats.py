"""Every format by its name: whether a path is of it, and how it is read. `open_trace` is the way in."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from attacca.errors import BadTrace
from attacca.load.traces.readers import azure2019, azure2021, huawei2023, huawei2025, ibm2026, iluvatar, native
from attacca.load.traces.reading import Bad, Reading, readable
from attacca.load.traces.transforms.sampling import Sampler
from attacca.load.traces.transforms.scaled import Scale, Scaled
from attacca.load.traces.types import Source, Trace, Use


class Format(msgspec.Struct, frozen=True):
    about: str
    is_it: Callable[[Path], bool]
    read: Callable[[Path, Reading], Source]


FORMATS = {  # in the order in which they are tried
    "attacca": Format("attacca's own: functions and invocations as parquet", native.is_own, native.read),
    "azure2019": Format("Azure Functions 2019; InVitro and Dirigent", azure2019.is_azure2019, azure2019.read),
    "huawei2023": Format("Huawei 2023, private and public", huawei2023.is_huawei2023, huawei2023.read),
    "ibm2026": Format("IBM Code Engine 2026", ibm2026.is_ibm2026, ibm2026.read),
    "iluvatar": Format("Ilúvatar's load generator", iluvatar.is_iluvatar, iluvatar.read),
    "azure2021": Format("Azure Functions 2021", azure2021.is_azure2021, azure2021.read),
    "huawei2025": Format("Huawei 2025: requests, cold starts", huawei2025.is_huawei2025, huawei2025.read),
}
ALIASES = {"invitro": "azure2019", "dirigent": "azure2019"}


def detect(path: Path) -> str:
    """
    Raises:
        BadTrace: nothing is there, or it is of no known format.
    """
    if not path.exists():
        raise BadTrace(f"{path}: there is no such file or directory", "give the path of a trace's file or directory")
    for name, form in FORMATS.items():
        if form.is_it(path):
            return name
    raise BadTrace(
        f"{path}: no known format", f"name one with --format: {', '.join(FORMATS)}; docs/traces.md shows each"
    )


def read(path: Path, name: str, reading: Reading) -> Source:
    """`name` may be `auto`.

    Raises:
        BadTrace: it cannot be read.
    """
    name = ALIASES.get(name, name)
    if name == "auto":
        name = detect(path)
    if name not in FORMATS:
        raise BadTrace(f"there is no format {name!r}", f"auto, {', '.join([*FORMATS, *ALIASES])}")
    with readable(path):
        return FORMATS[name].read(path, reading)


def read_part(path: Path, name: str, reading: Reading) -> Source:
    """The minutes that `reading` names, of a trace that is opened.

    Raises:
        BadTrace: it cannot be read, or nothing lies in them.
    """
    source = read(path, name, reading)
    if reading.start_minute or reading.minutes is not None:
        source = source.window(reading.start_minute, reading.minutes)
    if source.length_s <= 0 or source.functions.height == 0:
        end = "its end" if reading.minutes is None else f"minute {reading.start_minute + reading.minutes}"
        why = f"nothing lies from minute {reading.start_minute} to {end}"
        raise BadTrace(f"{path}: {why}", "attacca trace info says how long it is")
    return source


def open_trace(use: Use, seed: int, *, skip_bad: bool = False) -> Trace:
    """The part of a trace that a scenario uses. The same use and seed give the same invocations.

    Raises:
        BadTrace: it cannot be read, or nothing is left of it.
    """
    reading = Reading(
        seed=seed, spread=use.spread, start_minute=use.start_minute, minutes=use.minutes, bad=Bad(skip=skip_bad)
    )
    source = read_part(Path(use.path).expanduser(), use.format, reading)
    if use.sample is not None and use.sample < source.functions.height:
        source = source.only(Sampler(source.functions, seed, use.keep).take(use.sample))
    scale = Scale(
        rate=use.thin, time=use.time_scale, duration=use.duration_scale, duration_most_ms=use.duration_most_ms,
        memory_least_mb=use.memory_least_mb,
    )  # fmt: skip
    scaled = Scaled(source, scale, seed)
    if reading.bad.count:
        scaled.notes += (f"{reading.bad.told()}\n  left out",)
    return scaled
