"""The control of one domain among several, as a fault finds it."""

from collections.abc import Callable

from attacca.sim.workflows.member import SimulatedMember


class DomainControl:
    """`crash` and `restart` take the name of a domain."""

    def __init__(self, member: SimulatedMember, crash: Callable[[str], None], restart: Callable[[str], None]) -> None:
        self.member, self._crash, self._restart = member, crash, restart

    def __repr__(self) -> str:
        return f"<DomainControl {self.member.name} {'up' if self.is_up else 'down'}>"

    @property
    def is_up(self) -> bool:
        return self.member.orchestrator.is_up

    def crash(self) -> None:
        self._crash(self.member.name)

    def restart(self) -> None:
        self._restart(self.member.name)

    def slow_store(self, seconds: float) -> None:
        self.member.orchestrator.slow_store(seconds)

    @property
    def is_store_down(self) -> int:
        return self.member.orchestrator.is_store_down

    @is_store_down.setter
    def is_store_down(self, faults: int) -> None:
        self.member.orchestrator.is_store_down = faults
