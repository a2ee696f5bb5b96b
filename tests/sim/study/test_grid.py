import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.errors import BadConfig
from attacca.load.workload.scenario import (
    Clients,
    Distribution,
    Fault,
    FunctionPlan,
    Scenario,
    Shape,
    TraceUse,
    Workload,
)
from attacca.sim.study.grid import Axis, expand, fingerprint, key_of, parse, vary
from attacca.sim.study.job import mark_of

SCENARIO = Scenario(name="one", seed=5, workload=Workload(duration_s=10.0), functions=(FunctionPlan(name="f"),))


@pytest.mark.parametrize(
    ("setting", "axis"),
    [
        ("worker.keepalive=lru,ttl", Axis("system.keepalive", ("lru", "ttl"))),
        ("keepalive=lru", Axis("system.keepalive", ("lru",))),
        ("keepalive.idle_s=5, 6", Axis("system.keepalive.idle_s", ("5", "6"))),
        ("worker.memory_mb=512", Axis("system.memory_mb", ("512",))),
        ("hardware.cpu=none,sharing", Axis("hardware.cpu", ("none", "sharing"))),
    ],
)
def test_what_is_varied(setting: str, axis: Axis) -> None:
    assert parse(setting) == axis


@pytest.mark.parametrize(
    ("setting", "values"),
    [
        ("functions.f.duration.values_ms=[1,2],[3]", ("[1,2]", "[3]")),
        ('queueing=mqfq:weights={"f":2,"g":1},fcfs', ('mqfq:weights={"f":2,"g":1}', "fcfs")),
        ('about="a,b",c', ('"a,b"', "c")),
    ],
)
def test_a_list_or_a_table_is_one_value(setting: str, values: tuple[str, ...]) -> None:
    assert parse(setting).values == values


def test_an_option_may_be_a_table() -> None:
    found = vary(SCENARIO, {"system.queueing": 'mqfq:weights={"f":2,"g":1}:ttl_s=3'}).system.queueing
    assert (found.policy, found.options) == ("mqfq", {"weights": {"f": 2, "g": 1}, "ttl_s": 3})


def leaves(plain: object, before: str = "") -> Iterator[str]:
    if isinstance(plain, dict) and plain and "policy" not in plain:
        for key, inner in plain.items():
            yield from leaves(inner, f"{before}.{key}" if before else key)
    elif isinstance(plain, list) and plain and isinstance(plain[0], dict):
        yield from leaves(plain[0], f"{before}.0")
    else:
        yield before


WHOLE = Scenario(
    name="one",
    workload=Workload(trace=TraceUse(path="a"), clients=Clients(), duration_s=5.0),
    functions=(FunctionPlan(name="f", shape=Shape(), cold=Distribution()),),
    faults=(Fault(kind="worker_crash", at_s=1.0),),
)


@pytest.mark.parametrize("key", list(leaves(msgspec.to_builtins(WHOLE))))
def test_every_key_can_be_set_to_what_it_is_and_the_run_is_the_same(key: str) -> None:
    value: object = msgspec.to_builtins(WHOLE)
    for name in key.split("."):
        value = value[int(name) if name.isdigit() else name]  # type: ignore[index]
    if isinstance(value, dict):  # a policy
        options = "".join(f":{name}={json.dumps(option)}" for name, option in value["options"].items())
        text = value["policy"] + options
    else:
        text = value if isinstance(value, str) else json.dumps(value)
    assert vary(WHOLE, {key: text}) == WHOLE


def test_a_table_that_the_file_leaves_out_can_be_varied() -> None:
    assert vary(SCENARIO, {"workload.clients.count": "3"}).workload.clients == Clients(count=3)
    assert vary(SCENARIO, {"functions.f.cold.mean_ms": "9"}).functions[0].cold == Distribution(mean_ms=9.0)
    assert vary(SCENARIO, {"functions.f.shape.rate": "9"}).functions[0].shape == Shape(rate=9.0)


def test_a_text_that_reads_as_a_number_is_still_a_text() -> None:
    assert vary(WHOLE, {"workload.trace.path": "2019", "system.workers": "2"}).workload.trace == TraceUse(path="2019")


def test_seeds_are_not_varied_in_silence() -> None:
    with pytest.raises(BadConfig, match="same seeds"):
        expand(SCENARIO, [parse("seed=1,2")], [1])


@pytest.mark.parametrize("setting", ["keepalive", "=lru", "keepalive=", "keepalive=,"])
def test_nothing_varied_is_refused(setting: str) -> None:
    with pytest.raises(BadConfig, match="names no key or no values"):
        parse(setting)


def test_a_policy_brings_its_options() -> None:
    found = vary(SCENARIO, {"system.keepalive": "ttl:idle_s=60"}).system.keepalive
    assert (found.policy, found.options) == ("ttl", {"idle_s": 60})
    found = vary(SCENARIO, {"system.keepalive": "mine:Policy:a=1:b=x=y"}).system.keepalive
    assert (found.policy, found.options) == ("mine:Policy", {"a": 1, "b": "x=y"})


def test_an_option_alone_keeps_the_policy() -> None:
    found = vary(SCENARIO, {"system.keepalive.idle_s": "7"}).system.keepalive
    assert (found.policy, found.options) == ("ttl", {"idle_s": 7})


def test_any_key_can_be_varied() -> None:
    choices = {
        "system.memory_mb": "64", "functions.f.memory_mb": "32", "hardware.sandbox.mean_ms": "9.5",
        "workload.duration_s": "20",
    }  # fmt: skip
    found = vary(SCENARIO, choices)
    assert found.system.memory_mb == 64
    assert found.functions[0].memory_mb == 32
    assert found.hardware.sandbox.mean_ms == 9.5
    assert found.workload.duration_s == 20


@pytest.mark.parametrize(
    "choices",
    [
        {"system.memory": "1"}, {"system.memory_mb": "much"}, {"nothing.there": "1"}, {"functions.g.memory_mb": "1"},
        {"system.memory_mb": "0"}, {"name.first": "x"},
    ],
)  # fmt: skip
def test_a_key_that_is_wrong_is_named(choices: dict[str, str]) -> None:
    with pytest.raises(BadConfig, match=next(iter(choices)).split(".")[-2]):
        vary(SCENARIO, choices)


def test_every_combination_for_each_seed() -> None:
    cells = expand(SCENARIO, [parse("keepalive=lru,ttl"), parse("system.workers=1,2,3")], [1, 2])
    assert len(cells) == 12
    assert [cell.scenario.seed for cell in cells[:2]] == [1, 2]
    assert cells[0].label == "keepalive=lru workers=1"
    assert len({cell.key for cell in cells}) == 12
    assert expand(SCENARIO, [], [1])[0].label == "one"


@given(st.integers(1, 1000), st.text(max_size=20))
def test_a_key_is_of_what_is_run_and_not_of_words_about_it(seed: int, about: str) -> None:
    plain = expand(SCENARIO, [], [seed])[0]
    told = expand(
        Scenario(name="one", about=about, workload=SCENARIO.workload, functions=SCENARIO.functions), [], [seed]
    )
    assert told[0].key == plain.key
    assert expand(SCENARIO, [], [seed], lambda _: "other code")[0].key != plain.key
    assert expand(SCENARIO, [], [seed + 1])[0].key != plain.key


def test_another_trace_is_another_study(tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("a")
    scenario = Scenario(name="one", workload=Workload(trace=TraceUse(path=str(trace))))
    before = fingerprint(scenario, Path(__file__).parent)
    assert fingerprint(scenario, Path(__file__).parent) == before
    trace.write_text("ab")
    assert fingerprint(scenario, Path(__file__).parent) != before
    assert key_of(scenario, before) == key_of(scenario, before)


def test_what_makes_the_kept_digest_counts_as_code_and_what_draws_it_does_not(tmp_path: Path) -> None:
    def mark(name: str, text: str) -> str:
        package = tmp_path / name / text
        (package / "load/report").mkdir(parents=True)
        (package / f"load/report/{name}.py").write_text(text)
        return fingerprint(SCENARIO, package)

    assert mark("measure", "1") != mark("measure", "2")
    assert mark("style", "1") == mark("style", "2")


def test_a_trace_can_be_varied_and_each_has_its_own_mark(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "invocations").mkdir(parents=True)
        (tmp_path / name / "invocations/part-0").write_text(name)
    scenario = Scenario(name="one", workload=Workload(trace=TraceUse(path=str(tmp_path / "a"))))
    axis = parse(f"workload.trace.path={tmp_path / 'a'},{tmp_path / 'b'}")
    cells = expand(scenario, [axis], [1], mark_of)
    assert [cell.mark for cell in cells] == [mark_of(cell.scenario) for cell in cells]
    assert len({cell.mark for cell in cells}) == 2
    (tmp_path / "b/invocations/part-0").write_text("longer")
    again = expand(scenario, [axis], [1], mark_of)
    assert [one.mark == other.mark for one, other in zip(cells, again, strict=True)] == [True, False]
