from pathlib import Path

import msgspec
import pytest

from attacca.load.report.comparison import figures, ours, setups
from attacca.load.report.digest import SHARES, Digest
from attacca.load.report.groups import Group, grouped
from attacca.load.report.published import DIRIGENT, PUBLISHED, Place, Quantity
from attacca.load.report.sections import report
from attacca.load.report.text import text
from tests.load.report.play import digest, scenario


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Digest:
    return digest(tmp_path_factory.mktemp("runs") / "one", scenario(1))


def of(group: Group, quantity: Quantity, share: float) -> float:
    return ours(group, Place(quantity, share, ())).value


def test_our_quantities_are_those_of_the_records(one: Digest) -> None:
    group = grouped([one])[0]
    assert of(group, "scheduling", 0.99) == one.scheduling[SHARES.index(0.99)]
    means = sorted(function.scheduling_s or 0.0 for function in one.functions)
    assert of(group, "scheduling_of_functions", 1.0) == means[-1]
    assert of(group, "scheduling_of_functions", 0.5) == means[len(means) // 2 - 1]
    slow = sorted(function.slowdown or 0.0 for function in one.functions)
    assert of(group, "slowdown", 1.0) == pytest.approx(slow[-1])


def test_over_seeds_it_is_their_mean(one: Digest) -> None:
    info = msgspec.structs.replace(one.info, seed=2)
    slower = msgspec.structs.replace(one, info=info, scheduling=[3 * value for value in one.scheduling])
    group = grouped([one, slower])[0]
    assert of(group, "scheduling", 0.5) == pytest.approx(2 * one.scheduling[500])
    row = figures([group], DIRIGENT).rows[0]
    assert row[1].count("…") == 1, "with its interval"


def test_both_schools_say_who_makes_sandboxes_and_what_went_wrong(one: Digest) -> None:
    plain = one.info.scenario
    system = {**plain["system"], "mode": "cluster", "controls": 3}  # type: ignore[dict-item]
    other = {**plain, "system": system, "faults": [{"kind": "store_down"}, {"kind": "worker_crash"}]}
    run = msgspec.structs.replace(one, info=msgspec.structs.replace(one.info, scenario=other))
    said = {row[0]: row[1] for row in setups(grouped([run]), DIRIGENT).rows}
    assert said["sandboxes"].startswith("control makes and ends them, by knative")
    assert said["faults"] == "drawn for each seed: store_down, worker_crash"
    assert said["machines"].endswith("1 gateways, 3 controls")


def test_every_published_figure_has_a_row_with_ours_before_it(one: Digest) -> None:
    made = figures(grouped([one]), DIRIGENT)
    assert made.head == ["", "play", "Dirigent", "Knative"]
    rows = {row[0]: row[1:] for row in made.rows}
    assert len(rows) == len(DIRIGENT.places) + 2
    assert rows["scheduling latency of invocations, p50"][1:] == ["2 ms", "3 ms"]
    assert rows["scheduling latency of invocations, p99"][1:] == ["1 – 2 s", "about 100 s"]
    assert rows["scheduling latency of functions, mean, most"][1:] == ["about 6 s", "about 300 s"]
    assert rows["slowdown of functions, geometric mean, p99"][1:] == ["200 – 280 ×", "over 4,000 ×"]
    assert all(row[0] != "–" for row in rows.values())


@pytest.mark.parametrize("published", PUBLISHED.values(), ids=PUBLISHED)
@pytest.mark.parametrize("kind", ["simulated", "live"])
def test_each_aspect_of_the_set_up_is_said_of_both(one: Digest, published: object, kind: str) -> None:
    run = msgspec.structs.replace(one, info=msgspec.structs.replace(one.info, kind=kind))
    made = setups(grouped([run]), DIRIGENT)
    assert [row[0] for row in made.rows] == list(DIRIGENT.setup)
    assert all(cell for row in made.rows for cell in row)
    machines = next(row[1] for row in made.rows if row[0] == "machines")
    assert machines.startswith("simulated: 1 workers" if kind == "simulated" else "one server")


def test_it_comes_first_and_a_terminal_shows_whole_sentences(one: Digest, tmp_path: Path) -> None:
    made = report([one], DIRIGENT)
    assert made.sections[0].key == "beside"
    told = text(made, 100)
    assert max(len(line) for line in told[told.index("[set-up]") : told.index("Summary")].splitlines()) <= 100
    assert DIRIGENT.setup["handler"].split()[-1] in told
