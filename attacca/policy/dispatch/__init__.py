"""Dispatch policies: on what an invocation runs that may run on a processor or a device."""

from attacca.policy.dispatch.all import All
from attacca.policy.dispatch.always import Always
from attacca.policy.dispatch.estimate import Estimate
from attacca.policy.dispatch.greedy_weights import GreedyWeights
from attacca.policy.dispatch.hit_throughput import HitThroughput
from attacca.policy.dispatch.landlord import Landlord
from attacca.policy.dispatch.mice import Mice
from attacca.policy.dispatch.mwua import Mwua
from attacca.policy.dispatch.popular import Popular
from attacca.policy.dispatch.random import Random
from attacca.policy.dispatch.shortest import Shortest
from attacca.policy.dispatch.speedup import Speedup
from attacca.policy.dispatch.top_average import TopAverage
from attacca.policy.dispatch.types import Dispatching
from attacca.policy.dispatch.ucb1 import Ucb1

DISPATCH: dict[str, type[Dispatching]] = {
    "all": All,
    "always": Always,
    "estimate": Estimate,
    "shortest": Shortest,
    "speedup": Speedup,
    "popular": Popular,
    "top_average": TopAverage,
    "greedy_weights": GreedyWeights,
    "landlord": Landlord,
    "hit_throughput": HitThroughput,
    "mice": Mice,
    "mwua": Mwua,
    "ucb1": Ucb1,
    "random": Random,
}
