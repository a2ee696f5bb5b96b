"""Our figures beside published ones of the same workload: the same quantities, and how differently they came about."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from attacca.load.report.digest import PARTS, SHARES, Digest
from attacca.load.report.groups import Group
from attacca.load.report.metrics import number, span
from attacca.load.report.published import Place, Published, Quantity, Read
from attacca.load.report.tables import Table, with_interval
from attacca.load.statistics.samples import Interval, mean, mean_interval, quantile

LABELS: Final[dict[Quantity, str]] = {
    "scheduling": "scheduling latency of invocations",
    "scheduling_of_functions": "scheduling latency of functions, mean",
    "slowdown": "slowdown of functions, geometric mean",
}
SAYS: Final = (
    "Scheduling latency: from when it was sent until the answer, less the time in the handler. Slowdown: the same time "
    "over the duration that was asked for; here at least 1."
)


def figures(groups: Sequence[Group], published: Published) -> Table:
    rows = [
        [
            f"{LABELS[place.quantity]}, {_share(place.share)}",
            *(_told(place.quantity, ours(group, place)) for group in groups),
            *("–" if read is None else _published(place.quantity, read) for read in place.read),
        ]
        for place in published.places
    ]
    blank = ["–"] * len(published.systems)
    rows.append(["cold share", *(with_interval("cold_share", group.metric("cold_share")) for group in groups), *blank])
    rows.append(["cold starts a second", *(number(_cold_rate(group)) for group in groups), *blank])
    return Table("", ["", *(group.label for group in groups), *published.systems], rows)


def setups(groups: Sequence[Group], published: Published) -> Table:
    """What has to be borne in mind: aspect by aspect, with us and with them."""
    ours = [_setup(group.first) for group in groups]
    rows = [
        [aspect, "; or ".join(dict.fromkeys(setup[aspect] for setup in ours)), theirs]
        for aspect, theirs in published.setup.items()
    ]
    return Table("set-up", ["", "here", published.name], rows, is_prose=True)


def ours(group: Group, place: Place) -> Interval:
    """The published quantity of our runs, by the same definition: that of each seed, as theirs is of one run, and their
    mean."""
    each = [_of_run(digest, place) for digest in group.digests]
    return mean_interval([value for value in each if not math.isnan(value)])


def _of_run(digest: Digest, place: Place) -> float:
    if place.quantity == "scheduling":
        at = round(place.share * 1000)
        assert math.isclose(SHARES[at], place.share), "only thousandths are kept"
        return digest.scheduling[at] if digest.scheduling else math.nan
    is_slowdown = place.quantity == "slowdown"
    values = (function.slowdown if is_slowdown else function.scheduling_s for function in digest.functions)
    return quantile(sorted(value for value in values if value is not None), place.share)


def _cold_rate(group: Group) -> float:
    rates = [
        sum(function.cold for function in digest.functions) / digest.span_s
        for digest in group.digests
        if digest.span_s > 0
    ]
    return mean(rates)


def _share(share: float) -> str:
    return "most" if share == 1.0 else f"p{100 * share:g}"


def _told(quantity: Quantity, interval: Interval) -> str:
    value, low, high = interval.value, interval.low, interval.high
    if math.isnan(value):
        return "–"
    is_slowdown = quantity == "slowdown"
    said, unit = (number, " ×") if is_slowdown else (span, "")
    if low is None or high is None or said(low) == said(high):
        return said(value) + unit
    return f"{said(value)} ({said(low)} … {said(high)}){unit}"


def _published(quantity: Quantity, read: Read) -> str:
    """No more figures than a plot gives."""
    size, unit = (1.0, "×") if quantity == "slowdown" else (1.0, "s") if read.high >= 1.0 else (1e-3, "ms")
    text = f"{read.low / size:,g}" if read.low == read.high else f"{read.low / size:,g} – {read.high / size:,g}"
    return f"{'over ' * read.is_more}{'about ' * read.is_about}{text} {unit}"


# How ours came about, in the words of the published set-up's aspects.


def _setup(digest: Digest) -> dict[str, str]:
    scenario: Mapping[str, Any] = digest.info.scenario
    system, workload = scenario.get("system") or {}, scenario.get("workload") or {}
    is_simulated = digest.info.kind == "simulated"
    hardware = scenario.get("hardware") or {} if is_simulated else {}
    return {
        "load": _load(digest, workload),
        "machines": _machines(system) if is_simulated else f"one server of {system.get('cores')} cores, live",
        "who queues": _queue(system),
        "sandboxes": _sandboxes(system),
        "cold start": _cold(digest, is_simulated=is_simulated),
        "handler": _handler(hardware.get("cpu", "") if is_simulated else "live"),
        "durations": _durations(workload.get("trace")),
        "places in a minute": f"{(workload.get('trace') or {}).get('spread', 'uniform')}",
        "network": _network(hardware) if is_simulated else "this machine's own",
        "response": "from when it was sent" + ", which is when it was due" * is_simulated,
        "faults": _faults(scenario.get("faults") or () if is_simulated else ()),
        "errors": with_interval("error_share", Group("", "", [digest]).metric("error_share")),
    }


def _load(digest: Digest, workload: Mapping[str, Any]) -> str:
    trace, warm_s = workload.get("trace"), float(workload.get("warmup_s") or 0.0)
    what = str(trace["path"]).rstrip("/").rpartition("/")[2] if trace else digest.info.name
    minutes = f", {trace['minutes']} minutes" if trace and trace.get("minutes") else ""
    left_out = f"; the first {_whole(warm_s)} are left out" if warm_s else ""
    return f"{what}{minutes}, {sum(digest.phases.values()):,} invocations{left_out}"


def _whole(value_s: float) -> str:
    return span(value_s).replace(".0 ", " ")


def _machines(system: Mapping[str, Any]) -> str:
    each = f"{system['workers']} workers of {system['cores']} cores and {system['memory_mb'] / 1024:g} GB"
    gateways, controls = int(system.get("gateways") or 1), int(system.get("controls") or 1)
    others = f", {gateways} gateways, {controls} controls" if gateways > 1 or controls > 1 else ""
    return f"simulated: {each}{others}"


def _queue(system: Mapping[str, Any]) -> str:
    if system.get("mode") == "cluster":
        return "the gateway, one queue for each function"
    return f"each worker; the gateway hands on at once, by {_choice(system.get('balancing'))}"


def _sandboxes(system: Mapping[str, Any]) -> str:
    if system.get("mode") == "cluster":
        return f"control makes and ends them, by {_choice(system.get('scaling'))}"
    return f"made when one is needed; idle ones by {_choice(system.get('keepalive'))}"


def _faults(faults: Sequence[Mapping[str, Any]]) -> str:
    if not faults:
        return "none"
    return f"drawn for each seed: {', '.join(dict.fromkeys(str(fault['kind']) for fault in faults))}"


def _choice(choice: Mapping[str, Any] | None) -> str:
    if not choice:
        return "its default"
    options = " ".join(f"{key}={value:g}" for key, value in (choice.get("options") or {}).items())
    return f"{choice['policy']} {options}".strip()


def _cold(digest: Digest, *, is_simulated: bool) -> str:
    making = next((bar.parts[PARTS.index("making")] for bar in digest.split if bar.label == "cold"), None)
    if making is None:
        return "there was none"
    return f"{'drawn, however many start at once' if is_simulated else 'a process'}: mean {span(making)}"


def _handler(cpu: str) -> str:
    words = {
        "none": "takes its duration exactly, whatever runs beside it",
        "sharing": "shares the cores of its worker with the other handlers",
        "contended": "shares the cores of its worker with other handlers and with starts",
    }
    return words.get(cpu, "runs on real cores")


def _durations(trace: Mapping[str, Any] | None) -> str:
    if not trace:
        return "as the scenario says"
    most = f", at most {_whole(float(trace.get('duration_most_ms') or 0.0) / 1e3)}"
    return f"drawn between the published percentiles so that the published mean holds{most}"


def _network(hardware: Mapping[str, Any]) -> str:
    mean_ms = float((hardware.get("network") or {}).get("mean_ms") or 0.0)
    return f"mean {span(mean_ms / 1e3)} one way" if mean_ms else "takes no time"
