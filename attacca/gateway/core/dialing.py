"""Which workers a gateway dials: those that control names, and those that it hears of itself as long as it does.

Control may have been started anew, or may have lost a worker that the gateway has not: whoever still answers stays.
"""

from collections.abc import Callable

from attacca.gateway.core.events import Command, Dial, HangUp
from attacca.model.messages import Members


class Dialing:
    """`is_linked`: the gateway hears of a worker of that name."""

    __slots__ = ("_is_linked", "_named", "dialed")

    def __init__(self, is_linked: Callable[[str], bool]) -> None:
        self.dialed: dict[str, str] = {}  # addresses by worker
        self._is_linked = is_linked
        self._named: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"<Dialing {len(self.dialed)} dialed, {len(self._named)} named by control>"

    def awaits(self) -> bool:
        """Control names a worker that is not heard of yet, or not any more."""
        return not all(map(self._is_linked, self._named))

    def learn(self, members: Members, out: list[Command]) -> None:
        for member in members.workers:
            if self.dialed.get(member.worker) != member.address:
                self.dialed[member.worker] = member.address
                out.append(Dial(member.worker, member.address))
        self._named = frozenset(member.worker for member in members.workers)
        for worker in [one for one in self.dialed if one not in self._named and not self._is_linked(one)]:
            self._give_up(worker, out)

    def lose(self, worker: str, out: list[Command]) -> None:
        """It is not heard of any more; who is still named is dialed on."""
        if worker in self.dialed and worker not in self._named:
            self._give_up(worker, out)

    def _give_up(self, worker: str, out: list[Command]) -> None:
        del self.dialed[worker]
        out.append(HangUp(worker))
