"""Functions that control scales, in virtual time: the same cores, and what must always hold does."""

from typing import Any

import msgspec
import pytest

from attacca.load.workload.scenario import Choice, Distribution, Fault, Hardware
from tests.sim.play import INSTANT, exponential, function, play, scenario

HARDWARE = Hardware(
    sandbox=Distribution(mean_ms=40.0), imports=Distribution(mean_ms=100.0), network=Distribution(mean_ms=0.5),
    control=Distribution(mean_ms=0.5),
)  # fmt: skip
FIXED = Choice(policy="fixed", options={"count": 2})


def test_the_first_from_zero_has_a_sandbox_made_at_once() -> None:
    outcome = play(
        scenario(
            function(duration=Distribution(mean_ms=10.0), rate=0.2), length_s=60.0, hardware=HARDWARE,
            mode="cluster", workers=3,
        )
    )  # fmt: skip
    totals = outcome.totals
    assert totals.ok == totals.invocations > 5
    assert 150.0 < totals.max_ms < 170.0, "the sandbox, what runs in it, and six ways between planes"


def test_what_waits_shares_the_slots_that_there_are() -> None:
    one = scenario(
        function(duration=Distribution(mean_ms=100.0), rate=18.0, concurrency=1), length_s=60.0, hardware=INSTANT,
        mode="cluster", workers=2, scaling=FIXED,
    )  # fmt: skip
    totals = play(one).totals
    assert totals.ok == totals.invocations
    assert totals.cold_share == 0.0, "they were made ahead"
    assert totals.p50_ms > 100.0


def test_an_image_that_was_fetched_ahead_is_there_for_the_first_who_wants_it() -> None:
    def max_ms(**system: Any) -> float:
        hardware = msgspec.structs.replace(INSTANT, fetch=Distribution(mean_ms=500.0), image_cache=True)
        one = scenario(
            function(rate=0.1), length_s=60.0, hardware=hardware, mode="cluster",
            workers=3, **system,
        )  # fmt: skip
        return play(one).totals.max_ms

    assert max_ms() > 499.0
    assert max_ms(prefetch="all") < 499.0
    assert max_ms(prefetch="on_deploy") > 499.0, "nobody was there yet"
    assert max_ms(prefetch="one", placement=Choice(policy="locality")) < 499.0, "it is made where that lies"


@pytest.mark.parametrize("kind", ["worker_crash", "sandbox_crash", "partition", "lost_message", "stuck_sandbox"])
def test_whatever_goes_wrong_everybody_is_answered(kind: str) -> None:
    one = scenario(
        function(duration=exponential(50.0), rate=20.0, idempotent=True, wait_s=15.0, timeout_s=5.0), length_s=60.0,
        hardware=HARDWARE, mode="cluster", workers=3,
        faults=(Fault(kind=kind, rate=400.0, for_s=4.0),),  # type: ignore[arg-type]
    )  # fmt: skip
    outcome = play(one)
    assert outcome.faults > 0
    assert outcome.totals.unanswered == 0
    assert outcome.totals.ok > 0.95 * outcome.totals.invocations


def test_the_same_seed_gives_the_same_events() -> None:
    one = scenario(
        function(duration=exponential(50.0), rate=10.0), length_s=30.0, hardware=HARDWARE,
        mode="cluster", workers=3,
    )  # fmt: skip
    assert play(one).hash == play(one).hash


@pytest.mark.parametrize("mode", ["worker", "cluster"])
def test_another_leader_goes_on_with_what_there_is(mode: str) -> None:
    """Invocations go on meanwhile; whoever waits for a sandbox waits for the next leader."""
    one = scenario(
        function(duration=exponential(50.0), rate=20.0, idempotent=True, wait_s=15.0, timeout_s=5.0), length_s=120.0,
        hardware=HARDWARE, mode=mode, workers=3,
        faults=(Fault(kind="control_crash", rate=200.0, for_s=3.0),),
    )  # fmt: skip
    outcome = play(one)
    assert outcome.faults > 3
    assert outcome.totals.unanswered == 0
    assert outcome.totals.ok == outcome.totals.invocations


def test_gateways_share_what_control_has_made_and_no_sandbox_runs_more_than_it_may() -> None:
    """Each counts for itself, and the worker refuses what is beyond: who is refused waits, and nobody polls."""
    one = scenario(
        function(duration=exponential(50.0), rate=30.0, concurrency=2), length_s=60.0, hardware=HARDWARE,
        mode="cluster", workers=2, gateways=4, scaling=FIXED,
    )  # fmt: skip
    totals = play(one).totals
    assert totals.ok == totals.invocations > 1500
    assert totals.p50_ms < 100.0


def test_control_dies_and_invocations_go_on_and_a_new_one_finds_what_there_is() -> None:
    """Nobody waits for it, as enough is warm; and what it finds it neither makes anew nor stops."""
    one = scenario(
        function(duration=exponential(20.0), rate=30.0), length_s=60.0, hardware=HARDWARE, mode="cluster", workers=3,
        gateways=2, scaling=Choice(policy="fixed", options={"count": 6}),
        faults=(Fault(kind="control_crash", at_s=20.0, for_s=5.0), Fault(kind="control_crash", at_s=40.0, for_s=0.3)),
    )  # fmt: skip
    totals = play(one).totals
    assert totals.ok == totals.invocations > 1500
    assert totals.max_ms < 400.0
    assert totals.cold_share == 0.0


def test_while_control_is_gone_the_first_from_zero_waits_for_the_next_control() -> None:
    one = scenario(
        function(duration=Distribution(mean_ms=10.0), rate=0.5), length_s=30.0, hardware=HARDWARE, mode="cluster",
        workers=2, faults=(Fault(kind="control_crash", at_s=0.1, for_s=9.0),),
    )  # fmt: skip
    totals = play(one).totals
    assert totals.ok == totals.invocations
    assert totals.max_ms > 1000.0
