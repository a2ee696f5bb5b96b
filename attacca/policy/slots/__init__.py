"""Slot policies: which of a function's sandboxes with a free slot gets an invocation, where control has made them."""

from attacca.policy.slots.knative import Knative
from attacca.policy.slots.latest import Latest
from attacca.policy.slots.least_loaded import LeastLoaded
from attacca.policy.slots.least_processed import LeastProcessed
from attacca.policy.slots.random import Random
from attacca.policy.slots.round_robin import RoundRobin
from attacca.policy.slots.types import Slotting

SLOTS: dict[str, type[Slotting]] = {
    "latest": Latest,
    "knative": Knative,
    "random": Random,
    "round_robin": RoundRobin,
    "least_processed": LeastProcessed,
    "least_loaded": LeastLoaded,
}
