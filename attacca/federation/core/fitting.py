"""Why a domain could never have a workflow, as far as its summary says: whether some node has all that a component
requires at once, the domain itself knows, and refuses what has none."""

from collections.abc import Iterable

from attacca.model.federation import DomainSummary
from attacca.model.workflow import Component


def unfit(summary: DomainSummary, components: Iterable[Component]) -> str:
    """Empty: it may have it."""
    if not summary.nodes:
        return "it has no nodes"
    for component in components:
        why = _unfit(summary, component)
        if why:
            return f"{component.name}: {why}"
    return ""


def _unfit(summary: DomainSummary, component: Component) -> str:
    requires = component.requires
    if requires.nodes and not set(requires.nodes) & set(summary.nodes):
        return f"it has no node {' or '.join(requires.nodes)}"
    lacks = [label for label in requires.labels if label not in summary.labels]
    if lacks:
        return f"no node has the label {lacks[0]!r}"
    wanted = (*requires.resources, *([component.resource] if component.resource else []))
    absent = [one for one in wanted if not _hosts(summary, one)]
    if absent:
        return f"no node has the resource {absent[0]!r}"
    if requires.tee and not summary.tee:
        return "no node runs in a trusted environment (tee)"
    if requires.tpm and not summary.tpm:
        return "no node has a tpm"
    if requires.memory_mb > summary.machine_mb:
        return f"its largest machine has {summary.machine_mb} MB, not {requires.memory_mb}"
    if requires.cpus > summary.processors:
        return f"its largest machine has {summary.processors} processors, not {requires.cpus:g}"
    return ""


def _hosts(summary: DomainSummary, resource: str) -> bool:
    """By its class, or as NODE-CLASS."""
    if resource in summary.resources:
        return True
    return any(
        resource.startswith(f"{node}-") and resource.removeprefix(f"{node}-") in summary.resources
        for node in summary.nodes
    )
