"""Has each policy of a server all that it will be asked for? Each is made once, and thrown away."""

from attacca.kernel.rand import Streams
from attacca.policy.balancing.types import Balancing
from attacca.policy.balancing.types import begin as begin_balancer
from attacca.policy.concurrency.types import Concurrency, checked
from attacca.policy.keepalive.oracle import Oracle
from attacca.policy.keepalive.types import Keepalive, Nowhere
from attacca.policy.keepalive.types import begin as begin_keepalive
from attacca.policy.placement.types import Placement
from attacca.policy.placement.types import begin as begin_placer
from attacca.policy.queueing.types import Queueing
from attacca.policy.queueing.types import begin as begin_queue
from attacca.policy.scaling.types import Scalers, Scaling
from attacca.policy.slots.types import Slotting
from attacca.policy.slots.types import checked as check_slots


def check_of_cluster(scaling: Scaling, placement: Placement, slots: Slotting) -> None:
    """
    Raises:
        BadConfig: one lacks something; it is named.
    """
    Scalers(scaling)
    begin_placer(placement, Streams(1).stream("placement"))
    check_slots(slots, Streams(1).stream("slots"))


def check_whole(queueing: Queueing, concurrency: Concurrency, keepalive: Keepalive, balancing: Balancing) -> None:
    """
    Raises:
        BadConfig: one lacks something; it is named.
    """
    begin_queue(queueing)
    checked(concurrency)
    if not isinstance(keepalive, Oracle):  # it is told the future when the run begins
        begin_keepalive(keepalive, Nowhere(Streams(1).stream("keepalive")))
    begin_balancer(balancing, Streams(1).stream("balancing"))
