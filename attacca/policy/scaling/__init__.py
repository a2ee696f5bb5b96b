"""Scaling policies: how many sandboxes a function has, where control decides that."""

from attacca.policy.scaling.fixed import Fixed
from attacca.policy.scaling.knative import Knative
from attacca.policy.scaling.mu import Mu
from attacca.policy.scaling.predictive import Predictive
from attacca.policy.scaling.queue_delay import QueueDelay
from attacca.policy.scaling.types import Scaling

SCALING: dict[str, type[Scaling]] = {
    "knative": Knative,
    "fixed": Fixed,
    "predictive": Predictive,
    "mu": Mu,
    "queue_delay": QueueDelay,
}
