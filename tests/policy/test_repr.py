"""Whatever a policy remembers says its state in one line of numbers."""

from attacca.kernel.rand import Streams
from attacca.model.resources import Resources
from attacca.policy.balancing.ch_bl import ChBl
from attacca.policy.balancing.ch_rlu import ChRlu
from attacca.policy.balancing.own_first import OwnFirst
from attacca.policy.balancing.pull import Pull
from attacca.policy.balancing.random import Random
from attacca.policy.balancing.round_robin import RoundRobin
from attacca.policy.balancing.two_choices import TwoChoices
from attacca.policy.balancing.types import Asked, Balancing
from attacca.policy.dispatch import DISPATCH
from attacca.policy.dispatch.types import Asked as Told
from attacca.policy.dispatch.types import Forgetful, Side
from attacca.policy.keepalive.greedy_dual import GreedyDual
from attacca.policy.keepalive.hybrid_histogram import Histogram, HybridHistogram, Percentile
from attacca.policy.keepalive.landlord import Landlord
from attacca.policy.keepalive.lru import Lru
from attacca.policy.keepalive.oracle import Course, Foresight
from attacca.policy.keepalive.ttl import Ttl
from attacca.policy.keepalive.types import Idle, Keepalive, Nowhere, begin
from attacca.policy.placement.bin_packing import BinPacking
from attacca.policy.placement.computing import Computing
from attacca.policy.placement.kubernetes import Kubernetes
from attacca.policy.placement.least_loaded import LeastLoaded as LeastLoadedPlacement
from attacca.policy.placement.locality import Locality
from attacca.policy.placement.random import Random as RandomPlacement
from attacca.policy.placement.round_robin import RoundRobin as RoundRobinPlacement
from attacca.policy.placement.types import Placement
from attacca.policy.placement.weighted_random import WeightedRandom
from attacca.policy.queueing.fcfs import Fcfs
from attacca.policy.queueing.mqfq import Mqfq
from attacca.policy.queueing.types import Waiting
from attacca.policy.scaling import SCALING
from attacca.policy.scaling.paced import Paced
from attacca.policy.scaling.spread import Spread
from attacca.policy.scaling.types import Demand, Scalers
from tests.cases import each
from tests.mutable import without_repr
from tests.policy.balancing.fleet import Facts
from tests.policy.placement import machines
from tests.policy.placement.machines import made

IDLE = Idle("s1", "f", Resources(2), 5.0, uses=3, cold_s=4.0, gap_s=1.0)


def test_every_mutable_class_has_one() -> None:
    assert without_repr("attacca.policy") == []


@each(
    "policy, says",
    [
        (Lru(), "<LruState>"),
        (Ttl(idle_s=60.0), "<TtlState 60 s>"),
        (Landlord(), "<RentState 1 resting, paid 0>"),
        (GreedyDual(), "<CachedState 0 functions, clock 0>"),
        (HybridHistogram(), "<HistogramState 1 functions>"),
        (Foresight({"f": Course([(9.0, 1.0)])}), "<OracleState 1 arrived of 1 functions>"),
    ],
)
def test_keepalive(policy: Keepalive, says: str) -> None:
    state = begin(policy, Nowhere(Streams(1).stream("keepalive")))
    state.arrived(4.0, "f")
    state.became_idle(5.0, IDLE)
    assert repr(state) == says


def test_a_policy_is_tried_nowhere() -> None:
    assert repr(Nowhere(Streams(1).stream("keepalive"))) == "<Nowhere>"


def test_what_keepalive_learns_from() -> None:
    histogram = Histogram(HybridHistogram(bin_s=1.0, bins=10))
    for pause_s in (1.0, 3.0, 99.0):
        histogram.add(pause_s)
    assert repr(histogram) == "<Histogram of 2 pauses, 1 too long>"
    tail = Percentile(0.5)
    tail.follow([1, 2], 3, 1)
    assert repr(tail) == "<Percentile 0.5: bin 1, 1 below>"
    course = Course([(0.0, 2.0), (1.0, 2.0), (9.0, 1.0)])
    assert repr(course) == "<Course of 3 runs, 2 sandboxes at most>"
    assert repr(Foresight({"f": course})) == "<Foresight of 1 functions>"


def test_dispatch() -> None:
    dispatchers = {name: policy().fresh(Streams(1).stream("dispatch")) for name, policy in DISPATCH.items()}
    for dispatcher in dispatchers.values():
        dispatcher.choose(0.0, Told(function="f", cpu=Side(exec_s=9.0, start_s=9.0), gpu=Side(exec_s=1.0), gap_s=1.0))
    assert {name: repr(dispatcher) for name, dispatcher in dispatchers.items()} == {
        "all": "<Everywhere>",
        "always": "<Settled on the gpu>",
        "estimate": "<ByEstimate>",
        "shortest": "<ByExecution>",
        "speedup": "<Fast from 4 times on>",
        "popular": "<Fans of 0.15>",
        "top_average": "<Gaps of 1 functions>",
        "greedy_weights": "<Sorted 1 functions, 1 allowed>",
        "landlord": "<Residents 1 of 10, 1 hits, 0 misses, 0 evictions>",
        "hit_throughput": "<Hits 1 functions>",
        "mice": "<Thresholds 10 s of processors, 0 s given>",
        "mwua": "<Weighing 1 functions>",
        "ucb1": "<Bandit 1 functions>",
        "random": "<Lot>",
    }
    assert repr(Forgetful()) == "<Forgetful>"


def test_queueing() -> None:
    plain, fair = Fcfs().fresh(), Mqfq().fresh()
    for queue in (plain, fair):
        for number in range(3):
            queue.push(0.0, Waiting(f"i{number}", "fg"[number % 2], 0.0, exec_s=2.0))
    assert repr(plain) == "<HeapQueue 3 waiting of 2 functions>"
    fair.pop(0.0, lambda _: True)
    assert repr(fair) == "<MqfqQueue 2 waiting, 2 flows, virtual time 0>"
    assert repr(fair._flows["f"]) == "<Flow f: 1 waiting, 1 in flight, starts at 2>"


@each(
    "policy, says",
    [
        (Kubernetes(), "<Scores 2 workers, 2 looked at>"),
        (Locality(), "<Nearest 2 workers>"),
        (RandomPlacement(), "<Lots 2 workers>"),
        (RoundRobinPlacement(), "<Turns 2 workers, last ant>"),
        (Computing(), "<Drawn 2 workers, of weight 2>"),
        (LeastLoadedPlacement(), "<Shares 2 workers>"),
        (BinPacking(), "<Shares 2 workers>"),
        (WeightedRandom(), "<WeightedLots 2 workers, the largest of 1024 MB>"),
    ],
)
def test_placement(policy: Placement, says: str) -> None:
    placer = made(policy, [machines.Facts("bee"), machines.Facts("ant")])
    placer.place(0.0, machines.SMALL)
    assert repr(placer) == says


def test_scaling() -> None:
    """Their states in numbers are in their own tests."""
    scalers = {name: Scalers(policy())._fresh() for name, policy in SCALING.items()}
    for scaler in scalers.values():
        scaler.ask(0.0, Demand(waiting=1))
    assert {name: repr(scaler) for name, scaler in scalers.items()} == {
        "knative": "<TwoWindows 2 wanted, 1 under way, panic up to 2>",
        "fixed": "<Unmoved at 1>",
        "predictive": "<Planned 1 wanted, 0 minutes known, 0 steps planned>",
        "mu": "<Queueing 1 wanted, <Buckets 10 of 1 s, 0 in them>>",
        "queue_delay": "<Congestion 1 wanted, <Most of 60 s: 1>>",
    }
    assert repr(Spread(3)) == "<Spread 0 up, 0 down>"
    assert repr(Paced(2.0)) == "<Paced 0 wanted>"


@each(
    "policy, says",
    [
        (ChBl(), "<Bounded 2 workers>"),
        (ChRlu(), "<Ceiled 2 workers, <Favour 0 of 1 functions>>"),
        (ChRlu(like="code"), "<Chained 2 workers, 1 chains>"),
        (OwnFirst(worker="ant"), "<Own with its worker, 1 others>"),
        (Pull(), "<Queues 2 workers, 1 functions>"),
        (Random(), "<Lots 2 workers>"),
        (RoundRobin(), "<Turns 2 workers, last ant>"),
        (TwoChoices(), "<Pairs 2 workers>"),
    ],
)
def test_balancing(policy: Balancing, says: str) -> None:
    balancer = policy.fresh(Streams(1).stream("balancing"))
    balancer.among([Facts("bee"), Facts("ant")])
    tell = getattr(balancer, "resting", None)
    if tell is not None:
        tell(0.0, "ant", "f", 1)
    balancer.pick(0.0, Asked("f"))
    assert repr(balancer) == says
