"""The policies by which control has sandboxes made, from their names."""

from collections.abc import Mapping

from attacca.kernel.chance import Chance
from attacca.kernel.registry import Choice, build
from attacca.model.function import Option
from attacca.policy.placement import PLACEMENT
from attacca.policy.placement.types import Placer, begin
from attacca.policy.scaling import SCALING
from attacca.policy.scaling.types import Scaling


def scaling(policy: str, options: Mapping[str, Option]) -> Scaling:
    """
    Raises:
        BadConfig: no such policy, or not with these options.
    """
    return build(SCALING, policy, options, "attacca.policy.scaling")


def placer(choice: Choice, chance: Chance) -> Placer:
    """
    Raises:
        BadConfig: no such policy, or not with these options.
    """
    return begin(build(PLACEMENT, choice.policy, choice.options, "attacca.policy.placement"), chance)
