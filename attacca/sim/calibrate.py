"""How long a real machine takes, as a scenario's [hardware]: from recorded live runs, and from timed functions."""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import exp, log, sqrt
from pathlib import Path
from typing import Final

import msgspec

from attacca.errors import BadConfig, NotFound
from attacca.load.workload.scenario import Distribution, Hardware
from attacca.sim.measured import Machine, Measured, of_run

VALUES_MOST: Final = 100  # of an empirical distribution
SAMPLES_LEAST: Final = 5  # below which nothing is said
SELDOM: Final = {"wiring": "network", "fetch": "image", "readiness": "readiness"}  # what a timed start calls them
STEPS: Final = ("sandbox", "code", "imports", *SELDOM)
BUSY_LEAST: Final = 4  # times as many invocations: then there were not too few of them


class Timed(msgspec.Struct):
    """One function of `attacca load bench`: of each kind of start its parts, in milliseconds."""

    starts: dict[str, dict[str, list[float]]] = {}


class Bench(msgspec.Struct):
    functions: dict[str, Timed] = {}


def calibrate(sources: Sequence[Path], *, fit: bool = False) -> Hardware:
    """What the first source does not tell, the next one may. `fit`: lognormal distributions of the same mean, in place
    of the measured values.

    Raises:
        NotFound: neither a run nor a file is there.
        BadConfig: there is too little in it to say anything.
    """
    machines = [_measure(source) for source in sources]
    known: Measured = {}
    for machine in machines:
        enough = {name: values for name, values in machine.times.items() if len(values) >= SAMPLES_LEAST}
        if "imports" in known:  # the parts of a start are told by one source, or they do not belong together
            enough = {name: values for name, values in enough.items() if name not in STEPS}
        known = enough | known
    if not known or any(_is_crowded(one) for one in machines):
        raise _too_few(", ".join(map(str, sources)), machines)
    shape = fitted if fit else empirical
    parts: dict[str, object] = {name: shape(values) for name, values in known.items()}
    parts["cpu"] = machines[0].cpu
    parts["background"] = round(max(machine.background for machine in machines), 4)
    sizes = [machine.template_mb for machine in machines if machine.template_mb is not None]
    parts["template_mb"] = sizes[0] if sizes else Hardware().template_mb
    return msgspec.structs.replace(Hardware(), **parts)


def _is_crowded(machine: Machine) -> bool:
    """Many invocations, and hardly one that nobody was in the way of, though they share the cores."""
    many = machine.answered >= BUSY_LEAST * SAMPLES_LEAST
    return machine.cpu == "contended" and many and machine.quiet < SAMPLES_LEAST


def _too_few(names: str, machines: Sequence[Machine]) -> BadConfig:
    """More invocations help where there were few of them; not where somebody was in the way of each."""
    if any(_is_crowded(one) for one in machines):
        answered, quiet = sum(one.answered for one in machines), sum(one.quiet for one in machines)
        cores, background = max(one.cores for one in machines), max(one.background for one in machines)
        taken = f", {background:.2f} of them by something else" * (background > 0.0)
        return BadConfig(
            f"{names}: only {quiet} of {answered:,} invocations found a core free all the time: "
            f"the {cores} cores were taken{taken}",
            "calibrate with a lower rate or more cores, on a machine that does nothing else; more of them do not help",
        )
    counts = ", ".join(f"{name} {len(values)}" for machine in machines for name, values in machine.times.items())
    hint = "record more invocations, cold ones among them, or use `attacca load bench`"
    return BadConfig(f"{names}: fewer than {SAMPLES_LEAST} of anything were measured ({counts})", hint)


def empirical(values: Sequence[float]) -> Distribution:
    """When there are more of them than that, the means of so many equal parts: the mean of all stays what it is."""
    ordered = sorted(max(0.0, value) for value in values)
    if len(ordered) > VALUES_MOST:
        size, sums = len(ordered) / VALUES_MOST, [0.0, *accumulate(ordered)]

        def below(part: int) -> float:
            """The sum of what lies in the first parts; a value on the edge of two belongs to both."""
            whole = int(part * size)
            return sums[whole] + (ordered[whole] * (part * size - whole) if part < VALUES_MOST else 0.0)

        ordered = [(high - low) / size for low, high in pairwise(map(below, range(VALUES_MOST + 1)))]
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
        if value != getattr(default, name):
            said = _inline(value) if isinstance(value, Distribution) else msgspec.json.encode(value).decode()
            lines.append(f"{name} = {said}")
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


def _measure(source: Path) -> Machine:
    if source.is_file():
        return _of_bench(source)
    if not source.exists():
        hint = "attacca load run SCENARIO --out RUN"
        raise NotFound(f"there is neither a run nor a file at {str(source)!r}", hint)
    return of_run(source)


def _of_bench(path: Path) -> Machine:
    try:
        bench = msgspec.json.decode(path.read_bytes(), type=Bench)
    except (OSError, msgspec.MsgspecError) as error:
        raise BadConfig(f"{path}: {error}", "give what `attacca load bench --out FILE` wrote") from None
    found: Measured = {name: [] for name in ("sandbox", "code", "imports", *SELDOM, "template", "overhead")}
    for timed in bench.functions.values():
        cold, template, warm = (timed.starts.get(kind, {}) for kind in ("cold", "template", "warm"))
        for part in STEPS:
            found[part] += cold.get(SELDOM.get(part, part), [])
        parts = [values for part in STEPS if (values := template.get(SELDOM.get(part, part)))]
        found["template"] += [sum(values) for values in zip(*parts, strict=True)]
        found["overhead"] += warm.get("overhead", [])
    return Machine(times={part: values for part, values in found.items() if part not in SELDOM or any(values)})
