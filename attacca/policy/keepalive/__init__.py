"""Keep-alive policies: who is evicted, and when."""

from attacca.policy.keepalive.greedy_dual import GreedyDual
from attacca.policy.keepalive.hybrid_histogram import HybridHistogram
from attacca.policy.keepalive.infinite import Infinite
from attacca.policy.keepalive.landlord import Landlord
from attacca.policy.keepalive.lru import Lru
from attacca.policy.keepalive.oracle import Oracle
from attacca.policy.keepalive.ttl import Ttl
from attacca.policy.keepalive.types import Keepalive

KEEPALIVE: dict[str, type[Keepalive]] = {
    "lru": Lru,
    "ttl": Ttl,
    "greedy_dual": GreedyDual,
    "hybrid_histogram": HybridHistogram,
    "landlord": Landlord,
}
BOUNDS: dict[str, type[Keepalive]] = {"infinite": Infinite, "oracle": Oracle}  # only a simulation can have them
