"""How well a made-up trace fits the tables it was made from, and how far that is from the figures of the paper."""

import msgspec
import numpy as np

from attacca.load.traces import azure_tables as azure
from attacca.load.traces.draws import Floats
from attacca.load.traces.synth import DAY_S, Azure


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    what: str
    got: str
    wanted: str
    distance: float
    measure: str  # KS: greatest gap of distribution functions; W1: the area between, in powers of ten; gap: of shares
    limit: float | None  # what chance alone stays below 95 times in 100; unset: no such number is known


def fits(drawn: Azure) -> list[Fit]:
    number = drawn.recipe.functions
    critical = 1.36 / np.sqrt(number)
    of_apps = 1.36 / np.sqrt(len(drawn.app_memory_mb))
    durations = drawn.means_s
    return [
        _ks("rates, per day", drawn.rates, azure.rate_share(np.sort(drawn.rates)), critical),
        _w1("rates, per day", drawn.rates, azure.rates((np.arange(2000) + 0.5) / 2000)),
        _ks(
            "memory of apps, MB",
            drawn.app_memory_mb,
            azure.memory_share(np.sort(drawn.app_memory_mb)),
            of_apps,
        ),
        _ks("durations, to the fit", durations, azure.duration_share(np.sort(durations)), critical),
        _points("durations, to figures", durations, azure.DURATIONS_S, critical),
        _points("functions of an app", np.bincount(drawn.apps).astype(float), azure.APP_SIZES[:-1], of_apps),
        _triggers(drawn),
        *_skew(drawn.rates),
    ]


def load(drawn: Azure, invocations: int) -> str:
    """What was drawn and what came of it, in a sentence."""
    length_s = drawn.recipe.minutes * 60
    return (
        f"{invocations:,} invocations in {length_s / 3600:g} h: {invocations / length_s:.2f} per second; the rates "
        f"that were drawn come to {drawn.drawn_rps:.2f} per second over a day ({drawn.drawn_rps * DAY_S:,.0f})"
    )


def _ks(what: str, values: Floats, wanted: Floats, limit: float) -> Fit:
    """`wanted` is the table's share at each value, ascending. Where many values are equal the whole step counts."""
    ordered = np.sort(values)
    upper = np.searchsorted(ordered, ordered, side="right") / len(ordered)
    return Fit(
        what=what, got=f"median {np.median(values):.3g}", wanted="table", measure="KS",
        distance=float(np.max(np.abs(upper - wanted))), limit=float(limit),
    )  # fmt: skip


def _w1(what: str, values: Floats, wanted: Floats) -> Fit:
    levels = (np.arange(2000) + 0.5) / 2000
    mine, theirs = np.quantile(np.log10(values), levels), np.log10(np.quantile(wanted, levels))
    return Fit(
        what=what, got=f"p90 {np.quantile(values, 0.9):.3g}",
        wanted=f"p90 {np.quantile(wanted, 0.9):.3g}", distance=float(np.mean(np.abs(mine - theirs))),
        measure="W1", limit=None,
    )  # fmt: skip


def _points(what: str, values: Floats, curve: azure.Curve, limit: float) -> Fit:
    """At the points that are published, which are not all: the distance is a lower bound."""
    gaps = [abs(float((values <= value).mean()) - share) for value, share in curve]
    worst = int(np.argmax(gaps))
    value, share = curve[worst]
    return Fit(
        what=what, got=f"{float((values <= value).mean()):.3f} up to {value:g}", wanted=f"{share:.3f}",
        distance=max(gaps), measure="KS", limit=float(limit),
    )  # fmt: skip


def _triggers(drawn: Azure) -> Fit:
    shares = {name: drawn.triggers.count(name) / len(drawn.triggers) for name in azure.TRIGGER_MIX}
    off = sum(abs(shares[name] - wanted) for name, (wanted, _) in azure.TRIGGER_MIX.items()) / 2
    return Fit(
        what="triggers", got=f"http {shares['http']:.3f}",
        wanted=f"http {azure.TRIGGER_MIX['http'][0]:.3f}",
        distance=off, measure="gap", limit=None,
    )  # fmt: skip


def _skew(rates: Floats) -> list[Fit]:
    ordered = np.sort(rates)[::-1]
    fits = []
    for top, wanted in azure.SKEW:
        many = round(len(ordered) * top)
        if many >= 1:
            share = float(ordered[:many].sum() / ordered.sum())
            what = f"load of the top {top * 100:g} %"
            fits.append(
                Fit(
                    what=what,
                    got=f"{share:.3f}",
                    wanted=f"{wanted:.3f}",
                    distance=abs(share - wanted),
                    measure="gap",
                    limit=None,
                )
            )
    return fits
