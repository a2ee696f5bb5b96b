from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

from attacca.errors import BadConfig, Conflict
from attacca.kernel.clock import ManualClock
from attacca.load.records.columns import COLUMNS
from attacca.load.records.reading import read_run
from attacca.load.workload.scenario import (
    Body,
    Choice,
    Clients,
    Distribution,
    FunctionPlan,
    Hardware,
    Record,
    Scenario,
    Shape,
    TraceUse,
    Workload,
)
from attacca.policy.keepalive.lru import LruState
from attacca.policy.keepalive.types import Expiry, House, Idle
from attacca.sim.record.event_log import part
from attacca.sim.record.totals import Totals
from attacca.sim.run import Options, run
from tests.sim.play import INSTANT, exponential, function, play, scenario

COLD = msgspec.structs.replace(INSTANT, sandbox=Distribution(mean_ms=30.0), imports=Distribution(mean_ms=70.0))
BUSY: dict[str, Any] = {
    "workers": 3,
    "memory_mb": 512,
    "templates": True,
    "balancing": Choice(policy="two_choices"),
    "keepalive": Choice(policy="greedy_dual"),
}


def busy(seed: int = 1, hardware: Hardware | None = None) -> Scenario:
    functions = [function(f"f{place}", rate=3.0, duration=exponential(200.0)) for place in range(4)]
    return scenario(*functions, length_s=20.0, seed=seed, hardware=hardware or Hardware(cpu="contended"), **BUSY)


def test_the_first_is_cold_and_pays_for_it() -> None:
    one = scenario(function(rate=0.5, duration=Distribution(mean_ms=10.0)), length_s=20.0, hardware=COLD)
    totals = play(one).totals
    assert totals.invocations == totals.ok > 3
    assert totals.cold_share == 1 / totals.invocations
    assert totals.max_ms == pytest.approx(110.0)
    assert totals.p50_ms == pytest.approx(10.0)


FORK = msgspec.structs.replace(COLD, template=Distribution(mean_ms=5.0))


def test_a_deployment_has_left_a_template() -> None:
    one = scenario(function(rate=0.5), length_s=60.0, hardware=FORK, templates=True, idle_s=0.0)
    totals = play(one).totals
    assert totals.template_share == totals.cold_share == 1.0
    assert totals.max_ms == pytest.approx(5.0)


def test_other_workers_make_a_template_when_the_code_has_shown_that_it_works() -> None:
    more: dict[str, Any] = {"workers": 2, "balancing": Choice(policy="round_robin")}
    one = scenario(function(rate=0.5), length_s=60.0, hardware=FORK, templates=True, idle_s=0.0, **more)
    totals = play(one).totals
    assert 0.9 < totals.template_share < totals.cold_share == 1.0
    assert totals.max_ms == pytest.approx(100.0)


def test_who_waits_needs_no_core() -> None:
    """Two at once on one core: a second of work each, and what they wait for passes meanwhile."""

    def mean_ms(body: Body) -> float:
        hardware = msgspec.structs.replace(INSTANT, cpu="sharing")
        shape = Shape(kind="constant", rate=1.0)
        plans = [
            msgspec.structs.replace(function(name, duration=Distribution(mean_ms=100.0), body=body), shape=shape)
            for name in ("one", "other")
        ]
        return play(scenario(*plans, length_s=10.0, cores=1, hardware=hardware)).totals.mean_ms

    assert mean_ms(Body(kind="sleep")) == pytest.approx(100.0)
    assert mean_ms(Body(busy=0.5)) == pytest.approx(150.0)
    assert mean_ms(Body()) == pytest.approx(200.0)


def test_the_background_takes_its_part_of_the_cores() -> None:
    hardware = msgspec.structs.replace(INSTANT, cpu="sharing", background=0.5)
    one = scenario(function(duration=Distribution(mean_ms=10.0)), length_s=20.0, cores=1, hardware=hardware)
    assert play(one).totals.p50_ms == pytest.approx(20.0)
    with pytest.raises(BadConfig, match="busy with something else"):
        play(msgspec.structs.replace(one, hardware=msgspec.structs.replace(hardware, background=1.0)))


def test_who_wakes_up_waits_where_all_cores_are_taken() -> None:
    hardware = msgspec.structs.replace(
        INSTANT, cpu="sharing", wakeup=Distribution(mean_ms=3.0), first=Distribution(mean_ms=1.0)
    )
    plans = [
        FunctionPlan(name=name, duration=Distribution(mean_ms=ms), shape=Shape(kind="constant", rate=rate))
        for name, ms, rate in (("long", 20_000.0, 0.05), ("short", 10.0, 1.0))
    ]
    alone = play(scenario(plans[1], length_s=20.0, cores=1, hardware=hardware)).totals
    assert alone.p50_ms == pytest.approx(10.0)
    assert alone.max_ms == pytest.approx(11.0)
    beside = play(scenario(*plans, length_s=20.0, cores=1, hardware=hardware)).totals
    assert beside.p50_ms == pytest.approx(2 * 10.0 + 3.0)


def test_contended_starts_are_slowed_by_what_runs() -> None:
    def first_ms(cpu: str) -> float:
        hardware = msgspec.convert(msgspec.to_builtins(COLD) | {"cpu": cpu}, Hardware)
        functions = [function(f"f{place}", rate=50.0, duration=Distribution(mean_ms=100.0)) for place in range(2)]
        return play(scenario(*functions, length_s=0.1, cores=1, hardware=hardware)).totals.mean_ms

    assert first_ms("none") < first_ms("sharing") < first_ms("contended")


def test_those_that_only_compute_are_never_more_than_there_are_cores() -> None:
    plans = [function(name, rate=9.0, duration=Distribution(mean_ms=100.0), pure=True) for name in ("a", "b")]
    totals = play(scenario(*plans, length_s=30.0, cores=2)).totals
    assert totals.ok == totals.invocations > 400
    assert totals.mean_ms > 110.0, "two cores are busy for nine tenths of the time"
    plain = [msgspec.structs.replace(plan, pure=False) for plan in plans]
    assert play(scenario(*plain, length_s=30.0, cores=2)).totals.mean_ms == pytest.approx(100.0)


def test_a_start_takes_as_long_as_its_six_parts() -> None:
    parts = ("sandbox", "wiring", "fetch", "code", "imports", "readiness")
    took = {part: Distribution(mean_ms=10.0 * 2**place) for place, part in enumerate(parts)}
    hardware = msgspec.convert(msgspec.to_builtins(INSTANT) | msgspec.to_builtins(took), Hardware)
    one = scenario(function(rate=1.0), length_s=30.0, hardware=hardware, idle_s=0.0)
    assert play(one).totals.p50_ms == pytest.approx(630.0)
    own = scenario(function(rate=1.0, cold=Distribution(mean_ms=500.0)), length_s=30.0, hardware=hardware, idle_s=0.0)
    assert play(own).totals.p50_ms == pytest.approx(500.0)


def test_an_image_is_fetched_once_where_it_is_cached() -> None:
    def p50_ms(*, is_cached: bool) -> float:
        hardware = msgspec.structs.replace(INSTANT, fetch=Distribution(mean_ms=100.0), image_cache=is_cached)
        return play(scenario(function(rate=1.0), length_s=30.0, hardware=hardware, idle_s=0.0)).totals.p50_ms

    assert p50_ms(is_cached=False) == pytest.approx(100.0)
    assert p50_ms(is_cached=True) == 0.0


def test_full_memory_slows_everything_down() -> None:
    hardware = msgspec.structs.replace(INSTANT, memory_pressure=1.0)
    one = scenario(function(duration=Distribution(mean_ms=10.0)), length_s=20.0, hardware=hardware, memory_mb=128)
    assert play(one).totals.p50_ms == pytest.approx(20.0)
    slow = msgspec.structs.replace(COLD, code=Distribution(mean_ms=10.0), memory_pressure=1.0)
    start = play(scenario(function(), length_s=20.0, hardware=slow, memory_mb=128)).totals
    assert start.max_ms == pytest.approx(2 * 110.0)
    own = function(cold=Distribution(mean_ms=50.0))
    assert play(scenario(own, length_s=20.0, hardware=slow, memory_mb=128)).totals.max_ms == pytest.approx(2 * 50.0)


def test_templates_give_way_to_those_who_wait_for_memory() -> None:
    functions = [function(f"f{place}", rate=0.5) for place in range(3)]
    one = scenario(*functions, length_s=60.0, hardware=FORK, templates=True, memory_mb=150)
    totals = play(one).totals
    assert totals.ok == totals.invocations
    assert 0.0 < totals.template_share < 1.0


def test_a_policy_that_lets_others_pass_is_not_held_to_the_order_of_arrival() -> None:
    plan = function(rate=10.0, duration=exponential(150.0))
    one = scenario(plan, length_s=20.0, limit=1, queueing=Choice(policy="minheap"))
    totals = play(one).totals
    assert totals.ok == totals.invocations


def test_a_limit_follows_the_load_of_the_machine() -> None:
    limit = Choice(policy="aimd", options={"count": 1, "max_oversubscribe": 8})
    plan = msgspec.structs.replace(
        function(duration=Distribution(mean_ms=900.0)), shape=Shape(kind="constant", rate=5.0)
    )
    totals = play(scenario(plan, length_s=60.0, hardware=INSTANT, concurrency=limit)).totals
    assert 900.0 < totals.p90_ms < 4000.0


def test_the_network_is_crossed_twice() -> None:
    hardware = msgspec.structs.replace(INSTANT, network=Distribution(mean_ms=10.0))
    assert play(scenario(function(), length_s=20.0, hardware=hardware)).totals.p50_ms == pytest.approx(20.0)


def test_closed_loop_clients_send_when_they_have_their_answer() -> None:
    clients = Clients(count=2, think=Distribution(mean_ms=400.0))
    plan = msgspec.structs.replace(function(duration=Distribution(mean_ms=100.0)), shape=None)
    one = scenario(plan, length_s=10.0, workload=Workload(duration_s=10.0, clients=clients))
    assert play(one).totals.invocations == 2 * 20


def test_clients_leave_out_who_has_arrivals_of_its_own() -> None:
    free = msgspec.structs.replace(function("free", duration=Distribution(mean_ms=100.0)), shape=None)
    one = scenario(
        free, function("shaped", rate=0.0), length_s=10.0, workload=Workload(duration_s=10.0, clients=Clients())
    )
    totals = play(one).totals
    assert totals.cold_share == 1 / totals.invocations < 0.02, "the other was never called"


def test_a_client_that_is_refused_at_once_does_not_ask_for_ever() -> None:
    plan = msgspec.structs.replace(function(duration=Distribution(mean_ms=1e5), queue=1), shape=None)
    one = scenario(plan, length_s=0.5, limit=1, workload=Workload(duration_s=0.5, clients=Clients(count=3)))
    assert 100 < play(one).totals.refused < 1100


def test_the_same_seed_gives_the_same_events_and_another_seed_others() -> None:
    first = play(busy())
    assert play(busy()).hash == play(busy(), checks="off").hash == first.hash
    assert play(busy(seed=2)).hash != first.hash
    assert first.totals.unanswered == 0


def test_what_is_recorded_is_what_is_summed_up(tmp_path: Path) -> None:
    one = msgspec.structs.replace(busy(), record=Record(sample_s=1.0))
    totals = play(one, out=tmp_path / "run").totals
    run = read_run(tmp_path / "run")
    rows, samples = run.records.collect(), run.samples.collect()
    assert rows.columns == [name for name, _, _ in COLUMNS]
    assert len(rows) == totals.invocations
    assert (rows["recv"] - rows["due"]).mean() == pytest.approx(totals.mean_ms / 1e3)
    assert rows["start"].is_in(["cold", "template"]).mean() == pytest.approx(totals.cold_share)
    assert (rows["ready"] - rows["cold_begin"]).drop_nulls().min() > 0.0  # type: ignore[operator]
    assert (rows["exec_begin"] - rows["deq"]).min() > -1e-9  # type: ignore[operator]
    assert sorted(samples["worker"].unique().cast(str).to_list()) == ["w0", "w1", "w2"]
    assert samples["memory_mb"].max() <= 512  # type: ignore[operator]
    assert run.info.totals["hash"] == play(one).hash
    with pytest.raises(Conflict):
        play(one, out=tmp_path / "run")


def test_kept_events_show_where_two_runs_part(tmp_path: Path) -> None:
    slower = msgspec.structs.replace(busy(), hardware=Hardware(cpu="contended", code=Distribution(mean_ms=0.6)))
    for name, one in (("one", busy()), ("other", slower)):
        play(one, out=tmp_path / name, events=True)
    found = part(tmp_path / "one", tmp_path / "other")
    assert found is not None
    assert found.left is not None
    assert found.right is not None
    assert found.left.at < found.right.at
    stopped = play(busy(), stop_at=found.number)
    assert stopped.events == found.number
    assert stopped.latest[-1] == found.left


def test_a_story_tells_of_one_invocation_or_one_sandbox() -> None:
    story = "\n".join(play(busy(), story="0").story)
    for words in ("is given to the worker", "handed to a sandbox", "has run", "ended"):
        assert words in story
    sandbox = play(busy(), story="w0-5").story
    assert "sandbox ordered" in sandbox[0]
    assert all("w0" in line for line in sandbox)


def test_nothing_that_happens_is_summed_up_as_nothing() -> None:
    outcome = play(scenario(function(rate=0.0), length_s=5.0))
    assert outcome.totals == Totals()
    assert outcome.as_json()["invocations"] == 0


def test_clients_call_what_does_not_come_by_itself_as_when_they_are_live(tmp_path: Path) -> None:
    plans = function(rate=1.0, duration=Distribution(mean_ms=10.0)), FunctionPlan(name="asked")
    work = Workload(duration_s=20.0, clients=Clients(count=2, think=Distribution(mean_ms=100.0)))
    made = msgspec.structs.replace(scenario(*plans, length_s=20.0, workload=work), record=Record())
    run(made, ManualClock(), Options(out=tmp_path / "run"))
    rows = pl.read_parquet(tmp_path / "run" / "records" / "part-*.parquet")
    by_clients = rows.filter(pl.col("idx") >= 1_000_000_000)["func"].cast(pl.String).unique().to_list()
    assert by_clients == ["asked"]


@pytest.mark.parametrize("cpu", ["none", "contended"])
def test_who_sleeps_does_not_load_the_machine(cpu: Any) -> None:
    """aimd raises its limit as long as nobody computes."""
    plan = function(rate=20.0, duration=Distribution(mean_ms=1000.0), body=Body(kind="sleep"))
    one = scenario(
        plan, length_s=200.0, hardware=msgspec.structs.replace(INSTANT, cpu=cpu), cores=2,
        concurrency=Choice(policy="aimd", options={"max_oversubscribe": 64}),
    )  # fmt: skip
    assert play(one).totals.p50_ms < 2000.0


def test_a_trace_says_what_its_cold_starts_take(tmp_path: Path) -> None:
    (tmp_path / "trace.csv").write_text("func_name,invoke_time_ms\na,0\nb,10\n")
    (tmp_path / "metadata.csv").write_text("func_name,cold_dur_ms,warm_dur_ms,mem_mb\na,900,100,128\nb,500,100,128\n")
    trace = TraceUse(path=str(tmp_path))
    one = scenario(length_s=60.0, workload=Workload(trace=trace))
    assert play(one).totals.mean_ms == pytest.approx((900 + 500) / 2)
    other = Workload(trace=msgspec.structs.replace(trace, cold="hardware"))
    assert play(msgspec.structs.replace(one, workload=other)).totals.mean_ms == pytest.approx(100)


class Dice(msgspec.Struct, frozen=True):
    """Keeps each for as long as chance says."""

    def fresh(self, house: House) -> "Thrown":
        return Thrown(house)


class Thrown(LruState):
    def __init__(self, house: House) -> None:
        self.chance = house.chance

    def became_idle(self, now: float, idle: Idle) -> Expiry | None:
        return Expiry(now + self.chance.expovariate(1.0), "thrown")


def test_a_policys_chance_is_the_seeds() -> None:
    def thrown(seed: int, memory_mb: int = 4096) -> str:
        one = scenario(function(rate=2.0), length_s=60.0, seed=seed, memory_mb=memory_mb)
        return play(one, keepalive=Dice()).hash

    assert thrown(1) == thrown(1) == thrown(1, memory_mb=8192)
    assert thrown(1) != thrown(2)
