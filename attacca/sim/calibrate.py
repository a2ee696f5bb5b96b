"""How long a real machine takes, as a scenario's [hardware]: from a recorded live run, or from timed functions."""

from collections.abc import Sequence
from math import exp, log, sqrt
from pathlib import Path
from typing import Final

import msgspec

from attacca.errors import BadConfig, NotFound
from attacca.load.scenario import Distribution, Hardware

VALUES_MOST: Final = 101  # of an empirical distribution: its percentiles
SAMPLES_LEAST: Final = 5  # below which nothing is said
TO_MS: Final = 1e3

Measured = dict[str, list[float]]  # by field of Hardware: milliseconds


class Timed(msgspec.Struct):
    """One function of `attacca load bench`: of each kind of start its parts, in milliseconds."""

    starts: dict[str, dict[str, list[float]]] = {}


class Bench(msgspec.Struct):
    functions: dict[str, Timed] = {}


def calibrate(source: Path, *, fit: bool = False) -> Hardware:
    """`fit`: lognormal distributions of the same mean, in place of the measured values.

    Raises:
        NotFound: neither a run nor a file is there.
        BadConfig: there is too little in it to say anything.
    """
    measured = _of_bench(source) if source.is_file() else _of_run(source)
    known = {name: values for name, values in measured.items() if len(values) >= SAMPLES_LEAST}
    if not known:
        counts = ", ".join(f"{name} {len(values)}" for name, values in measured.items())
        hint = "record more invocations, cold ones among them, or use `attacca load bench`"
        raise BadConfig(f"{source}: fewer than {SAMPLES_LEAST} of anything were measured ({counts})", hint)
    shape = fitted if fit else empirical
    return msgspec.structs.replace(Hardware(), **{name: shape(values) for name, values in known.items()})


def empirical(values: Sequence[float]) -> Distribution:
    """Their percentiles, when there are more of them than that."""
    ordered = sorted(max(0.0, value) for value in values)
    if len(ordered) > VALUES_MOST:
        last = len(ordered) - 1
        ordered = [ordered[round(place * last / (VALUES_MOST - 1))] for place in range(VALUES_MOST)]
    return Distribution(kind="empirical", values_ms=tuple(round(value, 4) for value in ordered))


def fitted(values: Sequence[float]) -> Distribution:
    """By the method of maximum likelihood: mean and deviation of the logarithms."""
    logs = [log(value) for value in values if value > 0.0]
    if len(logs) < 2:
        return Distribution(mean_ms=sum(values) / len(values))
    middle = sum(logs) / len(logs)
    sigma = sqrt(sum((one - middle) ** 2 for one in logs) / (len(logs) - 1))
    return Distribution(kind="lognormal", mean_ms=round(exp(middle + sigma * sigma / 2), 4), sigma=round(sigma, 4))


def toml(hardware: Hardware) -> str:
    """The table, with what was not measured left out: it keeps its defaults."""
    lines = ["[hardware]"]
    default = Hardware()
    for name in hardware.__struct_fields__:
        value = getattr(hardware, name)
        if value != getattr(default, name) and isinstance(value, Distribution):
            lines.append(f"{name} = {_inline(value)}")
    return "\n".join(lines) + "\n"


def _inline(distribution: Distribution) -> str:
    parts = [f'kind = "{distribution.kind}"']
    match distribution.kind:
        case "empirical":
            parts.append(f"values_ms = [{', '.join(f'{value:g}' for value in distribution.values_ms)}]")
        case "lognormal":
            parts += [f"mean_ms = {distribution.mean_ms:g}", f"sigma = {distribution.sigma:g}"]
        case _:
            parts.append(f"mean_ms = {distribution.mean_ms:g}")
    return f"{{ {', '.join(parts)} }}"


def _of_bench(path: Path) -> Measured:
    try:
        bench = msgspec.json.decode(path.read_bytes(), type=Bench)
    except (OSError, msgspec.MsgspecError) as error:
        raise BadConfig(f"{path}: {error}", "give what `attacca load bench --out FILE` wrote") from None
    found: Measured = {"sandbox": [], "code": [], "imports": [], "template": [], "overhead": []}
    for timed in bench.functions.values():
        cold, template, warm = (timed.starts.get(kind, {}) for kind in ("cold", "template", "warm"))
        for part in ("sandbox", "code", "imports"):
            found[part] += cold.get(part, [])
        parts = [template.get(part, []) for part in ("sandbox", "code", "imports")]
        found["template"] += [sum(values) for values in zip(*parts, strict=True)]
        found["overhead"] += warm.get("overhead", [])
    return found


def _of_run(path: Path) -> Measured:
    """A record has no split of a start: all of a cold one is written as its imports."""
    if not path.exists():
        raise NotFound(f"there is neither a run nor a file at {str(path)!r}", "attacca load run SCENARIO --out RUN")
    import polars as pl

    from attacca.load.recorder import read_run

    rows = read_run(path).records.filter(pl.col("status") == 200)
    made_ms = (pl.col("ready") - pl.col("cold_begin")) * TO_MS
    rest_s = pl.col("recv") - pl.col("sent") - (pl.col("exec_end") - pl.col("exec_begin"))
    overhead_ms = (rest_s - (pl.col("deq") - pl.col("enq")).fill_null(0.0)) * TO_MS
    found: Measured = {}
    for name, start, value in (("imports", "cold", made_ms), ("template", "template", made_ms)):
        chosen = rows.filter(pl.col("start") == start).select(value.alias("ms")).drop_nulls().collect()
        found[name] = chosen["ms"].to_list()
    warm = rows.filter(pl.col("start") == "warm").select(overhead_ms.alias("ms")).drop_nulls().collect()
    found["overhead"] = warm["ms"].to_list()
    if found["imports"]:
        zero = [0.0] * SAMPLES_LEAST
        found["sandbox"], found["code"] = zero, zero
    return found
