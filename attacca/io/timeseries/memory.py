"""A database of time series in memory: for tests and for simulations."""

from attacca.io.posting import Posted
from attacca.io.timeseries.types import Number, Point

Key = tuple[str, tuple[tuple[str, str], ...], float]


class MemorySeries:
    """Keeps all that it is told."""

    def __init__(self) -> None:
        self._fields: dict[Key, dict[str, Number]] = {}

    def __repr__(self) -> str:
        return f"<MemorySeries {len(self._fields)} points>"

    def write(self, points: list[Point]) -> Posted:
        for point in points:
            key = point.measurement, tuple(sorted(point.tags)), point.at
            self._fields.setdefault(key, {}).update(point.fields)
        return Posted(204, b"")

    def last(self, measurement: str, tag: str, since_s: float, now: float) -> dict[str, dict[str, float]]:
        found: dict[str, dict[str, float]] = {}
        for (name, tags, at), fields in sorted(self._fields.items(), key=lambda pair: pair[0][2]):
            value = dict(tags).get(tag)
            if name == measurement and value is not None and now - since_s <= at <= now:
                found.setdefault(value, {}).update({field: float(number) for field, number in fields.items()})
        return found
