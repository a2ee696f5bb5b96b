"""A graph in the terminal: each component once, and below it where its outputs lead."""

from collections.abc import Iterable, Mapping

from attacca.cli.screens.terminal import speaks_unicode


def drawn(names: Mapping[str, bool], edges: Iterable[tuple[str, str, str]], encoding: str = "utf-8") -> list[str]:
    """`names` says of each component whether it is a resource; an edge is source, output, target.

    What begins a path comes first; what was drawn already is pointed to.
    """
    uni = speaks_unicode(encoding)
    branch, last, bar = ("├─", "└─", "│ ") if uni else ("|-", "`-", "| ")
    arrow, again = ("─▶ ", " ↑") if uni else ("-> ", " ^")
    out: dict[str, list[tuple[str, str]]] = {name: [] for name in names}
    for source, channel, target in edges:
        out[source].append((channel, target))
    targets = {target for ways in out.values() for _, target in ways}
    roots = [name for name in names if name not in targets]
    lines: list[str] = []
    seen: set[str] = set()

    def shown(name: str) -> str:
        return f"[{name}]" if names[name] else f"({name})"

    def draw(name: str, indent: str) -> None:
        seen.add(name)
        for index, (channel, target) in enumerate(out[name]):
            is_last = index == len(out[name]) - 1
            lines.append(
                f"{indent}{last if is_last else branch}{channel}{arrow}{shown(target)}{again if target in seen else ''}"
            )
            if target not in seen:
                draw(target, indent + ("  " if is_last else bar))

    for root in [*roots, *names]:
        if root not in seen:
            lines.append(shown(root))
            draw(root, "")
    return lines
