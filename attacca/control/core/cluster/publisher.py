"""What gateways are told of where functions run: each change once to each, numbered; the whole to whoever asks."""

from collections import deque

from attacca.control.core.events import Command
from attacca.model.endpoints import Endpoint, Endpoints, EndpointsChanged, StartsFail
from attacca.model.messages import Send

EPOCH_BITS = 32  # generations of one run of control
SPREADING_MOST = 4096  # generations that are waited for: a gateway that says nothing is lost before


class Publisher:
    def __init__(self) -> None:
        self.generation = 0
        self.gateways: dict[str, None] = {}
        self.apart: dict[str, int] = {}  # those of them that say what they know: up to which generation
        self.endpoints: dict[str, Endpoint] = {}  # by sandbox
        self.is_whole = True  # all that there may be have been heard of
        self._added: dict[str, Endpoint] = {}
        self._removed: dict[str, None] = {}
        self._spreading: deque[tuple[int, tuple[str, ...]]] = deque(maxlen=SPREADING_MOST)  # new ones, by generation

    def __repr__(self) -> str:
        return f"<Publisher {self.generation}: {len(self.endpoints)} endpoints for {len(self.gateways)} gateways>"

    def begin(self, epoch: int) -> None:
        """Numbers of this run are greater than those of every run before."""
        self.generation = epoch << EPOCH_BITS

    def add(self, endpoint: Endpoint) -> None:
        self.endpoints[endpoint.sandbox] = self._added[endpoint.sandbox] = endpoint

    def remove(self, sandbox: str) -> None:
        if self.endpoints.pop(sandbox, None) is not None and self._added.pop(sandbox, None) is None:
            self._removed[sandbox] = None

    @property
    def has_told(self) -> bool:
        """Nothing has changed since."""
        return not (self._added or self._removed)

    def flush(self, out: list[Command]) -> None:
        """What has changed in this step goes to all of them."""
        if self.has_told:
            return
        self.generation += 1
        message = EndpointsChanged(self.generation, tuple(self._added.values()), tuple(self._removed))
        if self._added and self.apart:
            self._spreading.append((self.generation, tuple(self._added)))
        self._added.clear()
        self._removed.clear()
        out.extend(Send(gateway, message) for gateway in self.gateways)

    def tell(self, gateway: str, out: list[Command]) -> None:
        """It has asked, and hears of every change from now on."""
        self.flush(out)
        self.gateways[gateway] = None
        out.append(Send(gateway, self._all()))

    def join(self, gateway: str, *, is_apart: bool) -> None:
        """It is to be told. Of what was published before nobody asks when it has heard."""
        self.gateways[gateway] = None
        if is_apart:
            self.apart[gateway] = self.generation

    def known(self, gateway: str, generation: int) -> list[str]:
        """Which sandboxes all gateways know of, as they did not before this one said so."""
        if gateway in self.apart:
            self.apart[gateway] = max(generation, self.apart[gateway])
        return self._spread()

    def leave(self, gateway: str) -> list[str]:
        """As `known`: it is not waited for any more."""
        self.gateways.pop(gateway, None)
        self.apart.pop(gateway, None)
        return self._spread()

    def _spread(self) -> list[str]:
        least = min(self.apart.values(), default=self.generation)
        spread: list[str] = []
        while self._spreading and self._spreading[0][0] <= least:
            spread += self._spreading.popleft()[1]
        return spread

    def complete(self, out: list[Command]) -> None:
        """Whatever is not known by now, is not there."""
        self.is_whole = True
        self.flush(out)
        out.extend(Send(gateway, self._all()) for gateway in self.gateways)

    def say(self, message: StartsFail, out: list[Command]) -> None:
        self.flush(out)
        out.extend(Send(gateway, message) for gateway in self.gateways)

    def _all(self) -> Endpoints:
        return Endpoints(self.generation, tuple(self.endpoints.values()), self.is_whole)
