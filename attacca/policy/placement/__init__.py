"""Placement policies: which worker gets a function's next sandbox."""

from attacca.policy.placement.kubernetes import Kubernetes
from attacca.policy.placement.random import Random
from attacca.policy.placement.round_robin import RoundRobin
from attacca.policy.placement.types import Placement

PLACEMENT: dict[str, type[Placement]] = {"random": Random, "round_robin": RoundRobin, "kubernetes": Kubernetes}
