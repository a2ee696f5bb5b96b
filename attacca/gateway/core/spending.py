"""What invocations have taken of energy, as workers say it when they have ended."""

from msgspec.structs import replace

from attacca.model.energy import Reckoned, Spent
from attacca.model.invocation import Call

KEPT = 20_000  # the latest


class Spending:
    """By invocation; of others' invocations too, where several gateways send to a worker."""

    def __init__(self) -> None:
        self._of: dict[str, Reckoned] = {}

    def __repr__(self) -> str:
        return f"<Spending of {len(self._of)} invocations>"

    def take(self, told: Spent) -> None:
        for one in told.of:
            self._of[one.id] = one
        while len(self._of) > KEPT:
            del self._of[next(iter(self._of))]

    def shown(self, sent_as: str, call: Call) -> Call:
        known = self._of.get(sent_as)
        return call if known is None else replace(call, energy_j=known.joules, energy_error_j=known.error_j)
