"""What must hold after every event, counted anew from what there is; tests ask for it after each one."""

from attacca.federation.core.federation import FederationCore
from attacca.federation.core.hosted import Stage


def check(core: FederationCore) -> None:
    """
    Raises:
        AssertionError: something that must always hold does not.
    """
    for name, workflow in core.workflows.items():
        assert workflow.id == name
        assert (workflow.domain == "") == (workflow.stage is Stage.PARKED), f"{workflow!r} is in one domain, or parked"
        assert workflow.domain == "" or workflow.domain in core.domains, f"{workflow!r} is nowhere"
        assert workflow.domain == "" or workflow.epoch > 0, f"{workflow!r} was never begun"
        assert workflow.writes >= 0
        assert all(count > 0 for count in workflow.writing.values())
        assert workflow.stops == [] or workflow.stage is Stage.STOPPING, f"{workflow!r} is to end"
    for domain in core.domains.values():
        for name in domain.ordered:
            ordered = core.workflows.get(name)
            assert ordered is not None, f"{domain!r} counts what is not there"
            assert ordered.domain == domain.name, f"{domain!r} counts what is elsewhere"
        assert not (domain.is_dead and domain.lost_at < float("inf")), f"{domain!r} is given up once"
        here = [one for one in core.workflows.values() if one.domain == domain.name]
        assert not domain.is_dead or here == [], f"{domain!r} has what goes on elsewhere"
