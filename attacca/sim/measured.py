"""What a recorded run tells of the machine it ran on: what starts take, and what passes beside the handlers.

How long something takes when nobody is in its way is read off invocations that were undisturbed: a core was free from
when they were due until their answer was there. What being in one another's way costs follows from the sharing of
cores, and is simulated; only who waited for a core before it could begin is looked at where all of them were taken.
"""

from math import ceil
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from attacca.load.records.info import RunInfo
from attacca.load.records.reading import read_run
from attacca.load.workload.scenario import Body, Scenario, plans_of

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Measured = dict[str, list[float]]  # by field of Hardware: milliseconds

TO_MS: Final = 1e3
MOST: Final = 0.95  # of the cores, that is believed to be busy with something else
NEEDED: Final = (
    "func", "due", "enq", "deq", "cold_begin", "ready", "exec_begin", "exec_end", "recv", "start", "cpu", "req_dur",
)  # fmt: skip


class Machine(msgspec.Struct, kw_only=True):
    """What was measured. `background`: the cores that are busy with something else than handlers and starts."""

    times: Measured
    answered: int = 0  # invocations that were looked at
    quiet: int = 0  # those of them that nobody was in the way of
    cores: int = 0
    cpu: str = "contended"
    background: float = 0.0
    template_mb: int | None = None


def of_run(path: Path) -> Machine:
    """A record has no split of a start: all of a cold one is written as its imports."""
    run = read_run(path)
    scenario = msgspec.convert(run.info.scenario, Scenario)
    rows = run.records.filter((pl.col("status") == 200) & pl.col("exec_end").is_not_null()).select(NEEDED).collect()
    look = _Look(rows, scenario)
    if run.info.kind != "live":
        return look.machine(scenario.hardware.cpu)
    found, samples = look.machine(), run.samples.sort("t").collect()
    found.background = _background(samples, run.info, look)
    found.template_mb = _template_mb(samples, rows["func"].n_unique())
    return found


class _Look:
    """The columns as arrays, and who computed when."""

    def __init__(self, rows: pl.DataFrame, scenario: Scenario) -> None:
        self._at = {name: rows[name].to_numpy().astype(np.float64) for name in NEEDED if rows[name].dtype.is_numeric()}
        self._start = rows["start"].cast(pl.String).to_numpy()
        shares = _computing(scenario)
        other = scenario.workload.trace.body if scenario.workload.trace is not None else Body()
        names = rows["func"].cast(pl.String).to_list()
        share = np.array([shares.get(name, other.computing) for name in names], dtype=np.float64)
        at = self._at
        whole_s = at["exec_end"] - at["exec_begin"]
        waited_s = np.nan_to_num(at["req_dur"]) * (1.0 - share)
        tells = ~np.isnan(at["cpu"]) & ~np.isnan(at["req_dur"])
        self.computed_s: Floats = np.where(tells, at["cpu"], whole_s)
        self._handler_s: Floats = np.where(tells, at["cpu"] + waited_s, whole_s)
        self.made_s: Floats = np.nan_to_num(at["ready"] - at["cold_begin"])
        self._set_steps(at["exec_begin"], np.where(share > 0.0, at["exec_end"] - waited_s, at["exec_begin"]))
        self.cores = scenario.system.cores

    def _set_steps(self, begin: Floats, end: Floats) -> None:
        """How many compute: `_count[n]` from `_when[n]` on."""
        when = np.concatenate([begin, np.maximum(end, begin)])
        order = np.argsort(when, kind="stable")
        change = np.concatenate([np.ones(len(begin)), -np.ones(len(end))])[order]
        self._when: Floats = np.concatenate([[-np.inf], when[order]])
        self._count: Floats = np.concatenate([[0.0], np.cumsum(change)])

    def machine(self, cpu: str = "contended") -> Machine:
        quiet = self._quiet()
        return Machine(times=self.times(), answered=len(quiet), quiet=int(quiet.sum()), cores=self.cores, cpu=cpu)

    def _undisturbed(self) -> Flags:
        """Where none had that luck, all count."""
        found = self._quiet()
        return found if found.any() else np.ones(len(found), dtype=np.bool_)

    def _quiet(self) -> Flags:
        """At most all cores but one were computed on, meanwhile."""
        full = np.concatenate([[0], np.cumsum(self._count > max(1, self.cores - 1))])
        first = np.searchsorted(self._when, self._at["due"], side="right") - 1
        last = np.searchsorted(self._when, self._at["recv"], side="right")
        found: Flags = full[last] == full[first]
        return found

    def times(self) -> Measured:
        at, start, quiet = self._at, self._start, self._undisturbed()
        queued_s = np.nan_to_num(at["deq"] - at["enq"])
        beside_s = at["recv"] - at["due"] - queued_s - self.made_s - self._handler_s
        warm, made = start == "warm", self.made_s > 0.0
        overhead_s = beside_s[warm & quiet]
        usual_s = float(overhead_s.mean()) if len(overhead_s) else 0.0
        found = {
            "imports": self.made_s[made & quiet & (start == "cold")],
            "template": self.made_s[made & quiet & (start == "template")],
            "overhead": overhead_s,
            "first": beside_s[~warm & quiet] - usual_s,
            "wakeup": self._wakeups(warm, quiet),
        }
        times = {name: (np.maximum(values, 0.0) * TO_MS).tolist() for name, values in found.items()}
        zero = [0.0] * len(times["imports"])
        return times | {"sandbox": zero, "code": zero}

    def _wakeups(self, warm: Flags, quiet: Flags) -> Floats:
        """How much longer than usual it took to the handler where all cores were taken."""
        came_s = self._at["exec_begin"] - self._at["deq"]
        now = self._count[np.searchsorted(self._when, self._at["enq"], side="right") - 1]
        taken = came_s[warm & (now >= self.cores)]
        usual = came_s[warm & quiet]
        return taken - np.median(usual) if len(usual) else taken[:0]


def _computing(scenario: Scenario) -> dict[str, float]:
    return {plan.name: plan.body.computing for plan in plans_of(scenario)}


def _template_mb(samples: pl.DataFrame, functions: int) -> int | None:
    """Of each function that was deployed, when there was nothing but templates."""
    first = samples.head(1).filter((pl.col("sandboxes") == 0) & (pl.col("memory_mb") > 0))
    return ceil(first["memory_mb"][0] / functions) if first.height and functions else None


def _background(samples: pl.DataFrame, info: RunInfo, look: _Look) -> float:
    """The machine's cores in use, less what handlers and starts had of them. A live run's samples say the former."""
    samples = samples.select("t", "cpu").drop_nulls()
    if samples.height < 2:
        return 0.0
    lasted_s = samples["t"].to_numpy()
    between_s = np.diff(lasted_s, prepend=0.0)
    used_s = float((samples["cpu"].to_numpy() * between_s).sum()) * _cores_of(info)
    known_s = float(look.computed_s.sum() + look.made_s.sum())
    return min(max(0.0, used_s - known_s) / float(lasted_s[-1]), MOST * look.cores)


def _cores_of(info: RunInfo) -> int:
    """Of the whole machine, which is what samples are a share of."""
    system: Any = info.scenario.get("system", {})
    return int(info.versions.get("cores", system.get("cores", 1)))
