"""A worker as plain facts, for policies that look around."""

import msgspec

from attacca.kernel.chance import Chance
from attacca.kernel.rand import Streams
from attacca.kernel.window import Measure
from attacca.model.resources import NOTHING, Resources


class Facts(msgspec.Struct):
    """Of one function."""

    application: str = "shop"
    trigger: str = "http"
    resources: Resources = Resources(1)
    invocations: int = 0
    running: int = 0
    pending: int = 0
    sandboxes: int = 0
    idle: int = 0
    cached_uses: int = 0
    exec_s: Measure = msgspec.field(default_factory=Measure)
    cold_s: Measure = msgspec.field(default_factory=Measure)
    gap_s: Measure = msgspec.field(default_factory=Measure)


class Here(msgspec.Struct):
    capacity: Resources = Resources(1000)
    used: Resources = NOTHING
    idle: Resources = NOTHING
    functions: dict[str, Facts] = msgspec.field(default_factory=dict)
    woken_at: float | None = None

    @property
    def pressure(self) -> float:
        return self.used.dominant_share(self.capacity)

    @property
    def chance(self) -> Chance:
        return Streams(1).stream("keepalive")

    def known(self, function: str) -> Facts | None:
        return self.functions.get(function)

    def wake_at(self, at: float) -> None:
        self.woken_at = at
