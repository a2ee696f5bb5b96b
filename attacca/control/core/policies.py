"""The policies that control decides by: a function's own, or else the server's."""

import msgspec

from attacca.control.config import ControlConfig
from attacca.kernel.registry import Choice, build
from attacca.model.function import Settings
from attacca.policy.placement import PLACEMENT
from attacca.policy.placement.types import Placement
from attacca.policy.scaling import SCALING
from attacca.policy.scaling.types import Scalers, Scaling


class Policies(msgspec.Struct, frozen=True, kw_only=True):
    """What the server has for those that chose nothing."""

    scaling: Choice = Choice(policy="knative")
    placement: Choice = Choice(policy="kubernetes")

    @classmethod
    def of(cls, config: ControlConfig) -> "Policies":
        return cls(scaling=config.scaling, placement=config.placement)

    def scaling_of(self, settings: Settings) -> Choice:
        """Options without a policy are for the server's."""
        options: dict[str, object] = dict(settings.scaling)
        policy = str(options.pop("policy", self.scaling.policy))
        if policy == self.scaling.policy:
            options = {**self.scaling.options, **options}
        return Choice(policy=policy, options=options)

    def placement_of(self, settings: Settings) -> Choice:
        return Choice(policy=settings.placement) if settings.placement else self.placement

    def expect(self, settings: Settings) -> None:
        """Can all be made that they choose?

        Raises:
            BadConfig: it cannot; it is named.
        """
        if settings.scaling:
            Scalers(scaling(self.scaling_of(settings)))
        if settings.placement:
            placement(self.placement_of(settings))


def scaling(choice: Choice) -> Scaling:
    """
    Raises:
        BadConfig: there is none of this name, or it has no such option.
    """
    return build(SCALING, choice.policy, choice.options, "attacca.policy.scaling")


def placement(choice: Choice) -> Placement:
    """
    Raises:
        BadConfig: there is none of this name, or it has no such option.
    """
    return build(PLACEMENT, choice.policy, choice.options, "attacca.policy.placement")
