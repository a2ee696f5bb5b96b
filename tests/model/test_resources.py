"""Every kind is added up, compared and waited for, whichever it is and whenever it came to be one."""

import sys
from importlib import util
from math import inf
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.errors import TooMuchReserved
from attacca.model import resources
from attacca.model.function import Settings
from attacca.model.messages import Deployed
from attacca.model.reserve import Wish, grant, orderable, refuse, refuse_order
from attacca.model.resources import KINDS, NOTHING, Resources, amount, largest, scarcest, stated, total
from attacca.worker.config import WorkerConfig
from attacca.worker.core.events import Kill, MakeSandbox
from attacca.worker.runtime.scripted import Times
from tests.worker.stage import Stage, revision

OTHERS = KINDS[1:]
SOME = st.builds(Resources, *([st.sampled_from((0, 1, 2, 3))] * len(KINDS)))


def unsaid(base: type[msgspec.Struct], value: object) -> list[tuple[str, Any, Any]]:
    return [(kind, Any, value) for kind in KINDS if kind not in base.__struct_fields__]


Asking: Any = msgspec.defstruct("Asking", unsaid(Settings, 0), bases=(Settings,), frozen=True, kw_only=True)
Having: Any = msgspec.defstruct("Having", unsaid(WorkerConfig, None), bases=(WorkerConfig,), frozen=True, kw_only=True)


@pytest.fixture(scope="module")
def wider(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """The module with one field more."""
    path = tmp_path_factory.mktemp("wider") / "wider_resources.py"
    source = Path(resources.__file__).read_text()
    path.write_text(source.replace("    memory_mb: int = 0\n", "    memory_mb: int = 0\n    antennas: float = 0.0\n"))
    spec = util.spec_from_file_location("wider_resources", path)
    assert spec is not None
    assert spec.loader is not None
    module = util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kind", [*KINDS, "antennas"])
def test_every_kind_is_added_up_by_its_name(kind: str, wider: ModuleType) -> None:
    def has(value: float) -> Any:
        return wider.Resources(**{kind: value})

    one, two, three = has(1), has(2), has(3)
    assert one + two == three
    assert three - two == one
    assert one * 3 == three
    assert two.fits(two)
    assert not three.fits(two)
    assert three.beyond(two) == one
    assert two.beyond(three) == wider.NOTHING
    assert one.shares_a_kind(three)
    assert not one.shares_a_kind(wider.NOTHING)
    assert two.times_in(has(5)) == 2
    assert one.dominant_share(two) == 0.5
    assert wider.total([one, two]) == wider.largest([one, three, two]) == three
    assert wider.scarcest(one) == kind.removesuffix("_mb")
    assert wider.stated(three) == three


@given(SOME, SOME, SOME)
def test_it_is_arithmetic(one: Resources, other: Resources, room: Resources) -> None:
    assert one + other == other + one
    assert (one + other) - other == one
    assert one * 2 == one + one
    assert one.fits(room) == (one.beyond(room) == NOTHING)
    assert one.fits(largest([one, other]))
    assert (one + other).fits(room) <= one.fits(room)
    assert one.shares_a_kind(other) == any(getattr(one, kind) and getattr(other, kind) for kind in KINDS)
    if one != NOTHING:
        assert (one * one.times_in(room)).fits(room)
        assert not (one * (one.times_in(room) + 1)).fits(room)


def test_tenths_of_a_core_are_a_core_and_leave_nothing_behind() -> None:
    tenth, third = Resources(0, 0.1), stated(Settings(name="f", memory_mb=32, cpus=1 / 3))
    assert total([tenth] * 10) == Resources(0, 1.0)
    assert total([tenth] * 3) - tenth - tenth - tenth == NOTHING
    assert tenth.times_in(Resources(0, 0.3)) == 3
    assert third + third + third - third - third == third


def test_what_a_worker_does_not_name_is_not_counted_there() -> None:
    has = WorkerConfig(memory_mb=100).resources
    assert (has.memory_mb, has.cpus) == (100, inf)
    assert Resources(50, 8.0).dominant_share(has) == 0.5
    assert Resources(50, 1.0).dominant_share(Resources(100)) == inf
    assert Settings(name="f").resources == Resources(128)


def test_what_is_stored_and_sent_is_read_with_kinds_that_it_does_not_know() -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(Resources(128)), type=Resources) == Resources(128)
    assert msgspec.json.encode(Resources(128)) == b'{"memory_mb":128}'
    assert msgspec.json.decode(b'{"memory_mb":64,"antennas":2}', type=Resources) == Resources(64)
    stored = b'{"name":"f","memory_mb":64,"cpus":0.5}'
    assert msgspec.json.decode(stored, type=Settings).resources == Resources(64, 0.5)


def test_amounts_are_told_in_their_units() -> None:
    assert (amount("memory_mb", 1_048_576), amount("gpu", 1.0)) == ("1048576 MB", "1 gpu")
    assert (scarcest(NOTHING), scarcest(Resources(0, 0.0, 1.0))) == ("memory", "gpu")


# A worker respects them.


def stage(kind: str, **times: float) -> Stage:
    return Stage(Having(memory_mb=1000, templates=False, **{kind: 1}), times=Times(**times))  # type: ignore[arg-type]


def asking(name: str, kind: str, wanted: float) -> Any:
    device = {"gpu": 0.5} if kind == "gpu_memory_mb" else {}  # of which it is
    return Asking(name=name, memory_mb=100, **{kind: wanted}, **device)


def deploy(on: Stage, name: str, kind: str, wanted: float = 1) -> Any:
    found = msgspec.structs.replace(revision(name), settings=asking(name, kind, wanted))
    on.tell(Deployed(1, found))
    return found


@pytest.mark.parametrize("kind", OTHERS)
def test_one_runs_at_a_time_where_there_is_one_of_it_and_the_second_waits(kind: str) -> None:
    on = stage(kind, run_ms=1000)
    one, other, plain = deploy(on, "one", kind), deploy(on, "other", kind), on.deploy("plain")
    first, beside, second = on.send(one), on.send(plain), on.send(other)
    on.play(0.5)
    assert [made.revision.function for made in on.all(MakeSandbox)] == ["one", "plain"], "memory is there for all"
    assert first in on.started
    assert second not in on.started
    on.play(5)
    assert {first, second, beside} <= on.ended.keys()
    assert on.all(Kill)[0].why == f"evicted for {kind.removesuffix('_mb')}"
    assert getattr(on.core.pool.used, kind) == 1


@pytest.mark.parametrize("kind", OTHERS)
def test_nobody_is_evicted_who_has_none_of_what_is_short(kind: str) -> None:
    on = stage(kind, run_ms=1000)
    plain, one, other = on.deploy("plain"), deploy(on, "one", kind), deploy(on, "other", kind)
    on.send(plain)
    on.play(3)
    on.send(one)
    on.send(other)
    on.play(9)
    assert [on.core.pool.sandboxes[name].state.function.name for name in on.core.pool.sandboxes] == ["plain", "other"]


@pytest.mark.parametrize("kind", OTHERS)
def test_who_asks_for_more_than_there_is_at_all_is_told_so(kind: str) -> None:
    on = stage(kind)
    ended = on.ended[on.send(deploy(on, "large", kind, 3))]
    assert ended.outcome.message == f"'large' asks for 3 {kind}, and the whole worker has 1 {kind}"  # type: ignore[union-attr]
    checked = msgspec.structs.replace(revision("new"), settings=asking("new", kind, 3))
    on.check(checked)
    assert on.checked[-1].error is not None
    assert on.checked[-1].error.hint.startswith(f"lower {kind} of the function, or ")


@pytest.mark.parametrize("kind", OTHERS)
def test_no_more_is_reserved_than_there_is_of_any_kind(kind: str) -> None:
    config = Having(memory_mb=10_000, **{kind: 8})
    wishes = [Wish(name, 3, Resources(**{"memory_mb": 100, kind: 2})) for name in ("one", "other")]
    assert grant(config, wishes, {}) == {"one": 3, "other": 0}, "room for one more of any function is left"
    refusal = refuse(config, wishes[1], wishes[:1], {"one": 3})
    assert isinstance(refusal, TooMuchReserved)
    assert f"min_sandboxes = 3 of 2 {kind} each, 6 {kind}" in refusal.message
    assert f"6 {kind} are reserved" in refusal.message
    most = orderable(config, wishes, {"one": 3}, wishes[1].resources)
    assert most == 1
    order = refuse_order(config, "other", 5, most, wishes[1].resources)
    assert order is not None
    assert f"have 2 {kind} each" in order.message
    assert f"more than {kind} 8" in order.hint
