"""Where a sweep of cold starts ends: what each step of it carried, in a table and in a sentence for each school."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from attacca.load.report.digest import Digest
    from attacca.load.report.groups import Group
    from attacca.load.report.tables import Table


class Knee(msgspec.Struct, frozen=True):
    """How many cold starts a second one school carries: at most `most` of those tried, since at `beyond`, `why`."""

    mode: str
    most: float  # 0: none of them
    beyond: float | None  # None: all that were tried are carried
    why: str

    @property
    def sentence(self) -> str:
        if self.beyond is None:
            return f"{self.mode}: {self.most:g} cold starts a second are carried, and no more were measured."
        most = f"{self.most:g} cold starts a second are carried" if self.most else "none of these rates is carried"
        return f"{self.mode}: {most}; at {self.beyond:g}, {self.why}."


def knee(groups: Sequence["Group"], mode: str) -> Knee:
    """Of what was tried, in its order."""
    most = 0.0
    for group in groups:
        if group.first.info.scenario["system"]["mode"] != mode:  # type: ignore[index]  # a scenario is plain JSON
            continue
        rate = float(group.first.info.name.removeprefix("rps-"))
        why = next((why for digest in group.digests if (why := too_much(digest, rate))), "")
        if why:
            return Knee(mode, most, rate, why)
        most = rate
    return Knee(mode, most, None, "")


def too_much(digest: "Digest", rate: float) -> str:
    from attacca.lab.experiments import overload

    warning = digest.info.totals.get("warning")
    if isinstance(warning, str) and digest.info.totals.get("stopped_s") is not None:
        return f"this machine could not even send them in time ({warning})"
    return overload(rate, digest.metrics)


def steps(groups: Sequence["Group"]) -> "Table":
    """A row for each rate and school."""
    from attacca.load.report.tables import Table, with_interval

    names = ("throughput", "p50_ms", "p99_ms", "cold_share", "error_share")
    rows = [
        [
            group.first.info.name.removeprefix("rps-"),
            str(group.first.info.scenario["system"]["mode"]),  # type: ignore[index]  # a scenario is plain JSON
            *(with_interval(name, group.metric(name)) for name in names),
        ]
        for group in groups
    ]
    head = ["cold starts/s", "by", "answers", "p50", "p99", "cold", "errors"]
    return Table("Cold starts", head, rows)
