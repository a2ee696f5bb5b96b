"""Placement policies: which worker gets a function's next sandbox."""

from attacca.policy.placement.bin_packing import BinPacking
from attacca.policy.placement.computing import Computing
from attacca.policy.placement.kubernetes import Kubernetes
from attacca.policy.placement.least_loaded import LeastLoaded
from attacca.policy.placement.locality import Locality
from attacca.policy.placement.random import Random
from attacca.policy.placement.round_robin import RoundRobin
from attacca.policy.placement.types import Placement
from attacca.policy.placement.weighted_random import WeightedRandom

PLACEMENT: dict[str, type[Placement]] = {
    "kubernetes": Kubernetes,
    "random": Random,
    "round_robin": RoundRobin,
    "weighted_random": WeightedRandom,
    "locality": Locality,
    "computing": Computing,
    "least_loaded": LeastLoaded,
    "bin_packing": BinPacking,
}
