"""Closed loop: what each client asks for next, and how long it thinks before it does."""

from collections.abc import Sequence
from itertools import accumulate

from attacca.kernel.rand import Streams
from attacca.load.workload.distributions import sampler
from attacca.load.workload.scenario import Clients, FunctionPlan


class Client:
    """One of them, with its own streams of chance: another client more or less changes nothing for it."""

    def __init__(self, number: int, clients: Clients, plans: Sequence[FunctionPlan], seed: int) -> None:
        """`plans`: all functions of the scenario; it calls those without a shape, or all when all have one."""
        streams = Streams(seed)
        self.number = number
        self.turns = 0
        self._choice = streams.stream(f"client/{number}/choice")
        self._think = sampler(clients.think, streams.stream(f"client/{number}/think"))
        self._places = [place for place, plan in enumerate(plans) if plan.shape is None] or list(range(len(plans)))
        self._until = list(accumulate(plans[place].weight for place in self._places))
        self._durations = {
            place: sampler(plans[place].duration, streams.stream(f"client/{number}/duration/{plans[place].name}"))
            for place in self._places
        }

    def __repr__(self) -> str:
        return f"<Client {self.number}: {self.turns} turns>"

    def think_s(self) -> float:
        return self._think() / 1000

    def choose(self) -> tuple[int, float]:
        """Which function, and for how many milliseconds."""
        at = self._choice.random() * self._until[-1]
        place = self._places[next(i for i, until in enumerate(self._until) if at < until)]
        return place, self._durations[place]()
