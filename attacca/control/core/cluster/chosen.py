"""Which policies functions have chosen, each made once for all that have chosen the same."""

from msgspec.structs import replace

from attacca.control.core.policies import Policies, placement, scaling
from attacca.errors import AttaccaError
from attacca.kernel.chance import Chance
from attacca.model.function import Settings
from attacca.policy.placement.types import Placer, begin
from attacca.policy.scaling.fixed import Fixed
from attacca.policy.scaling.types import Scalers


class Chosen:
    """What is stored may name a policy that is not installed any more."""

    def __init__(self, policies: Policies, chance: Chance) -> None:
        self._policies = policies
        self._chance = chance
        self._scalers: dict[str, Scalers] = {}  # by policy and options
        self.placers: dict[str, Placer] = {}  # by policy

    def __repr__(self) -> str:
        return f"<Chosen {len(self._scalers)} scaling and {len(self.placers)} placement policies>"

    def scalers(self, settings: Settings) -> Scalers:
        """Without its policy a function has one sandbox."""
        choice = self._policies.scaling_of(settings)
        key = f"{choice.policy} {sorted(choice.options.items())}"
        scalers = self._scalers.get(key)
        if scalers is None:
            try:
                scalers = Scalers(scaling(choice))
            except AttaccaError:
                scalers = Scalers(Fixed())
            self._scalers[key] = scalers
        return scalers

    def placer(self, settings: Settings) -> str:
        """Its name; without its policy it is the server's own."""
        choice = self._policies.placement_of(settings)
        if choice.policy not in self.placers:
            try:
                self.placers[choice.policy] = begin(placement(choice), self._chance)
            except AttaccaError:
                if not settings.placement:
                    raise
                return self.placer(replace(settings, placement=""))
        return choice.policy
