"""What a domain tells its federation of its nodes."""

from collections.abc import Iterable

from attacca.model.federation import DomainSummary
from attacca.workflow.core.nodes import Nodes


def summary(nodes: Nodes, providers: Iterable[str], url: str, portal: str) -> DomainSummary:
    """Of those that take something new. `providers`: classes of resources of a node that has not said which."""
    ready = [node for _, node in sorted(nodes.by_name.items()) if not node.is_cordoned]
    machines = [node.machine for node in ready]
    installed = tuple(sorted(providers)) if any(one.resources is None for one in machines) else ()
    return DomainSummary(
        nodes=tuple(node.name for node in ready),
        memory_mb=sum(node.capacity.memory_mb for node in ready),
        reserved_mb=sum(node.reserved.memory_mb for node in ready),
        labels=tuple(sorted({label for one in machines for label in one.labels})),
        resources=tuple(sorted({*installed, *(name for one in machines for name in one.resources or ())})),
        tee=any(one.tee for one in machines),
        tpm=any(one.tpm for one in machines),
        machine_mb=max((one.memory_mb for one in machines), default=0),
        processors=max((one.processors for one in machines), default=0),
        url=url,
        portal=portal,
    )
