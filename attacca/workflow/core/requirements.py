"""What a component requires of a node, and why a node is none for it."""

from collections.abc import Iterable, Mapping

from attacca.model.machine import Machine
from attacca.model.resources import Resources
from attacca.model.workflow import Component


def unfit(name: str, machine: Machine, capacity: Resources, component: Component, asked: Resources) -> str:
    """Why that node could never have it; empty: it could."""
    requires = component.requires
    if requires.nodes and name not in requires.nodes:
        return f"it is none of {', '.join(requires.nodes)}"
    lacks = [label for label in requires.labels if label not in machine.labels]
    if lacks:
        return f"it has no label {lacks[0]!r}"
    code = component.artefact
    if code is not None and machine.events is not None and code.what not in machine.events:
        return f"{code.what} cannot be an event function there"
    wanted = (*requires.resources, *([component.resource] if component.resource else []))
    hosted = (
        None if machine.resources is None else {*machine.resources, *(f"{name}-{one}" for one in machine.resources)}
    )
    absent = [] if hosted is None else [one for one in wanted if one not in hosted]
    if absent:
        return f"it has no resource {absent[0]!r}"
    if requires.tee and not machine.tee:
        return "it runs in no trusted environment (tee)"
    if requires.tpm and not machine.tpm:
        return "it has no tpm"
    if requires.memory_mb > machine.memory_mb:
        return f"its machine has {machine.memory_mb} MB, not {requires.memory_mb}"
    if requires.cpus > machine.processors:
        return f"its machine has {machine.processors} processors, not {requires.cpus:g}"
    if not asked.fits(capacity):
        return f"it has not {asked.memory_mb} MB for it" if asked.memory_mb > capacity.memory_mb else "it is too small"
    return ""


def too_far(component: Component, at: str, machines: Mapping[str, Machine], where: Mapping[str, Iterable[str]]) -> str:
    """Why it is too far from others there. `where`: by component, the nodes on which it runs now, which do not matter
    where there are none."""
    for other, most_ms in component.requires.near.items():
        nodes = list(where.get(other, ()))
        if nodes and min(latency_ms(at, node, machines) for node in nodes) > most_ms:
            return f"it is more than {most_ms:g} ms from {other} on {', '.join(nodes)}"
    return ""


def latency_ms(one: str, other: str, machines: Mapping[str, Machine]) -> float:
    """As either has declared it; what nobody has is endless, and from a node to itself it is none."""
    if one == other:
        return 0.0
    pairs = ((one, other), (other, one))
    declared = [machines[a].latency_ms[b] for a, b in pairs if a in machines and b in machines[a].latency_ms]
    return max(declared, default=float("inf"))
