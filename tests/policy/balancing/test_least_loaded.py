from fractions import Fraction

from hypothesis import given
from msgspec.structs import replace

from attacca.model.resources import Resources
from attacca.model.sandbox import MachineLoad
from attacca.policy.balancing.least_loaded import LeastLoaded
from attacca.policy.balancing.types import Asked, Picked
from tests.policy.balancing.fleet import FLEETS, Facts, made


def test_load_is_a_share_of_the_slots_and_a_tie_goes_to_the_smaller_name() -> None:
    small, large, same = Facts("a", running=1, limit=2), Facts("c", running=2, limit=8), Facts("b", queued=1, limit=4)
    assert made(LeastLoaded(), [small, large, same]).pick(0.0, Asked("f")) == Picked("b", "least loaded")


def test_what_has_changed_since_is_seen() -> None:
    first, second = Facts("a"), Facts("b")
    balancer = made(LeastLoaded(), [first, second])
    chosen = []
    for _ in range(4):
        chosen.append(balancer.pick(0.0, Asked("f")).worker)
        (first if chosen[-1] == "a" else second).queued += 1
    assert chosen == ["a", "b", "a", "b"]


@given(FLEETS)
def test_nobody_is_less_loaded(fleet: list[Facts]) -> None:
    ranked = sorted((Fraction(worker.queued + worker.running, worker.limit), worker.name) for worker in fleet)
    assert made(LeastLoaded(), fleet).pick(0.0, Asked("f")).worker == ranked[0][1]


def machine(cpu_share: float, load_1m: float) -> MachineLoad:
    return MachineLoad(
        cpu_share=cpu_share, load_1m=load_1m, memory_free_mb=0, disk_free_mb=0, received_mb_s=0.0, sent_mb_s=0.0
    )


def test_by_what_the_workers_have_said() -> None:
    fleet = [
        Facts("a", cores=4, load=machine(0.9, 1.0), free=Resources(100)),
        Facts("b", cores=4, load=machine(0.2, 9.0), free=Resources(200)),
        Facts("c", cores=4, load=machine(0.5, 5.0), free=Resources(300)),
    ]
    picked = {by: made(LeastLoaded(by=by), fleet).pick(0.0, Asked("f")) for by in ("cpu", "load", "memory")}
    assert {by: (one.worker, one.why) for by, one in picked.items()} == {
        "cpu": ("b", "least cpu"), "load": ("a", "least load"), "memory": ("c", "least memory"),
    }  # fmt: skip


def test_by_the_watts_of_a_core_as_long_as_all_say_theirs() -> None:
    fleet = [
        Facts("a", cores=2, running=0, load=replace(machine(0.5, 1.0), watts=90.0)),
        Facts("b", cores=8, running=1, load=replace(machine(0.5, 1.0), watts=200.0)),
    ]
    balancer = made(LeastLoaded(by="power"), fleet)
    assert [balancer.pick(0.0, Asked("f")).worker for _ in range(9)] == ["b"] * 7 + ["a", "b"]
    fleet[0].load = machine(0.5, 1.0)
    assert balancer.pick(0.0, Asked("f")) == Picked("a", "least power")


@given(FLEETS)
def test_no_herd_forms_between_two_words_of_a_worker(fleet: list[Facts]) -> None:
    """All equal at first: each decision counts until the next word, so nobody has two more per core than another."""
    for worker in fleet:
        worker.cores, worker.load, worker.free = 2, replace(machine(0.5, 1.0), watts=40.0), Resources(1024)
    for by in ("cpu", "load", "memory", "power"):
        balancer = made(LeastLoaded(by=by), fleet)
        counts = dict.fromkeys((worker.name for worker in fleet), 0)
        for _ in range(3 * len(fleet)):
            counts[balancer.pick(0.0, Asked("f", resources=Resources(64))).worker] += 1
        assert set(counts.values()) == {3}


def test_what_a_worker_says_replaces_what_was_sent_and_who_says_nothing_is_counted() -> None:
    first, second = Facts("a", load=machine(0.1, 0.0)), Facts("b", load=machine(0.2, 0.0))
    balancer = made(LeastLoaded(by="cpu"), [first, second])
    assert [balancer.pick(0.0, Asked("f")).worker for _ in range(2)] == ["a", "b"]
    first.heard_at = 1.0
    assert balancer.pick(1.0, Asked("f")).worker == "a"
    first.load = None
    first.running = 9
    assert balancer.pick(1.0, Asked("f")).worker == "b"
    assert repr(balancer) == "<Said 2 workers, by cpu>"


def test_by_loadavg_all_go_to_one_until_the_next_look() -> None:
    first, second = Facts("a", charted=0.5), Facts("b", charted=0.25)
    balancer = made(LeastLoaded(by="loadavg", look_s=2.0), [first, second])
    assert balancer.pick(10.0, Asked("f")) == Picked("b", "least loadavg")
    second.charted = 9.0
    assert balancer.pick(11.9, Asked("f")).worker == "b"
    assert balancer.pick(12.0, Asked("f")).worker == "a"
    assert repr(balancer) == "<Looking at 2 workers, at a>"
    balancer.among([second])
    assert balancer.pick(12.1, Asked("f")).worker == "b", "the one that it had gone by has left"


def test_by_loadavg_without_a_database_it_goes_by_what_workers_say() -> None:
    fleet = [Facts("a", cores=2, load=machine(0.5, 3.0)), Facts("b", cores=4, load=machine(0.9, 4.0))]
    picked = made(LeastLoaded(by="loadavg"), fleet).pick(0.0, Asked("f"))
    assert picked == Picked("b", "least loadavg, as it says itself")
    assert made(LeastLoaded(by="loadavg"), [Facts("a", running=2), Facts("b")]).pick(0.0, Asked("f")).worker == "b"
