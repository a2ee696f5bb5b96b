"""A graph as a picture: columns of components from left to right, and arrows with the names of outputs."""

from collections.abc import Iterable, Mapping
from xml.sax.saxutils import escape

WIDE, HIGH = 140, 36  # of a component
ACROSS, DOWN = 250, 76  # from one to the next
MARGIN = 24
LETTER = 7.3  # the width of one, as far as can be known
STYLE = """
text{font:12px ui-sans-serif,system-ui,sans-serif;fill:#1c2733;text-anchor:middle}
.box{fill:#eaf2fb;stroke:#3572b0;stroke-width:1.4}.resource{fill:#f6efe2;stroke:#a87622}
path{fill:none;stroke:#5b6b7b;stroke-width:1.3}marker path{fill:#5b6b7b;stroke:none}
.output{font-size:11px;fill:#44515e;stroke:#fff;stroke-width:4px;paint-order:stroke}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.box{fill:#16324d;stroke:#6cb0f5}.resource{fill:#3b2f16;stroke:#d9a441}
path{stroke:#9aa9b8}marker path{fill:#9aa9b8}.output{fill:#c3ced9;stroke:#0d1117}}
"""
Edge = tuple[str, str, str]  # source, output, target


def columns(names: Iterable[str], edges: Iterable[Edge]) -> dict[str, int]:
    """Of each component, how many come before it at most, on ways that do not lead back."""
    out: dict[str, list[str]] = {name: [] for name in names}
    for source, _, target in edges:
        out[source].append(target)
    order: list[str] = []  # targets before sources, but for those that lead back
    begun: set[str] = set()
    targets = {target for ways in out.values() for target in ways}
    for root in sorted(out, key=lambda name: name in targets):
        walk = [(root, iter(out[root]))] if root not in begun else []
        begun.add(root)
        while walk:
            name, ways = walk[-1]
            after = next((one for one in ways if one not in begun), None)
            if after is None:
                order.append(name)
                walk.pop()
            else:
                begun.add(after)
                walk.append((after, iter(out[after])))
    place = {name: at for at, name in enumerate(reversed(order))}
    column = dict.fromkeys(out, 0)
    for name in sorted(out, key=place.__getitem__):
        for target in out[name]:
            if place[target] > place[name]:
                column[target] = max(column[target], column[name] + 1)
    return column


def picture(names: Mapping[str, bool], edges: Iterable[Edge]) -> str:
    """An SVG. `names` says of each component whether it is a resource."""
    edges = list(edges)
    column = columns(names, edges)
    wide = max([WIDE, *(len(name) * LETTER + 24 for name in names)])
    across = wide + max([ACROSS - WIDE, *(len(output) * LETTER + 50 for _, output, _ in edges)])
    rows: dict[int, int] = {}
    at: dict[str, tuple[float, float]] = {}
    for name in names:
        row = rows.get(column[name], 0)
        rows[column[name]] = row + 1
        at[name] = MARGIN + column[name] * across, MARGIN + HIGH + row * DOWN
    width = 2 * MARGIN + max(column.values(), default=0) * across + wide
    height = 2 * MARGIN + 2 * HIGH + (max(rows.values(), default=1) - 1) * DOWN
    drawn = [_arrow(edge, at, wide, nth) for nth, edge in _counted(edges)]
    drawn += [_box(name, of_resource, at[name], wide) for name, of_resource in names.items()]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img"><style>{STYLE}</style>'
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        f'<path d="M0 0L8 4L0 8Z"/></marker></defs>\n{"".join(drawn)}</svg>\n'
    )


def _counted(edges: list[Edge]) -> Iterable[tuple[int, Edge]]:
    """With how many others between the same two come before."""
    seen: dict[tuple[str, str], int] = {}
    for edge in edges:
        pair = edge[0], edge[2]
        yield seen.get(pair, 0), edge
        seen[pair] = seen.get(pair, 0) + 1


def _box(name: str, of_resource: bool, at: tuple[float, float], wide: float) -> str:  # noqa: FBT001 - as in `names`
    kind, round_ = ("box resource", 3) if of_resource else ("box", HIGH / 2)
    x, y = at
    return (
        f'<rect class="{kind}" x="{x:.0f}" y="{y:.0f}" width="{wide:.0f}" height="{HIGH}" rx="{round_:.0f}"/>'
        f'<text x="{x + wide / 2:.0f}" y="{y + HIGH / 2 + 4:.0f}">{escape(name)}</text>\n'
    )


def _arrow(edge: Edge, at: Mapping[str, tuple[float, float]], wide: float, nth: int) -> str:
    source, output, target = edge
    (x1, y1), (x2, y2) = at[source], at[target]
    if x2 > x1:
        begin, end = (x1 + wide, y1 + HIGH / 2), (x2, y2 + HIGH / 2)
        bend = (end[0] - begin[0]) / 2
        way = f"C{begin[0] + bend:.0f} {begin[1]:.0f} {end[0] - bend:.0f} {end[1]:.0f} {end[0]:.0f} {end[1]:.0f}"
        label = (begin[0] + end[0]) / 2, (begin[1] + end[1]) / 2 - 5 + 14 * nth
    elif y1 > y2:  # back and up: to it from below
        begin, end = (x1, y1 + HIGH / 2), (x2 + wide / 2, y2 + HIGH)
        way = f"C{begin[0] - 60:.0f} {begin[1]:.0f} {end[0]:.0f} {end[1] + 50:.0f} {end[0]:.0f} {end[1]:.0f}"
        label = (begin[0] * 2 + end[0]) / 3, begin[1] - 5 - 12 * nth
    else:  # back, to itself, or down: from above
        begin, end = (x1 + wide * 0.62, y1), (x2 + wide * 0.38, y2)
        top = min(y1, y2) - HIGH + 6 - 10 * nth
        way = f"C{begin[0]:.0f} {top:.0f} {end[0]:.0f} {top:.0f} {end[0]:.0f} {end[1]:.0f}"
        label = (begin[0] + end[0]) / 2, min(y1, y2) - HIGH / 2 - 6 - 10 * nth
    return (
        f'<path d="M{begin[0]:.0f} {begin[1]:.0f}{way}" marker-end="url(#tip)"/>'
        f'<text class="output" x="{label[0]:.0f}" y="{label[1]:.0f}">{escape(output)}</text>\n'
    )
