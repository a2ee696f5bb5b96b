"""Scaling policies: how many sandboxes a function has, where control decides that."""

from attacca.policy.scaling.fixed import Fixed
from attacca.policy.scaling.knative import Knative
from attacca.policy.scaling.types import Scaling

SCALING: dict[str, type[Scaling]] = {"fixed": Fixed, "knative": Knative}
