"""What is reserved never takes the room that everybody needs, and what was promised is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.errors import TooMuchReserved
from attacca.model.function import Revision
from attacca.model.messages import Catalogue, Deployed, Prewarm
from attacca.model.reserve import Wish, cost, grant, refuse, room
from attacca.model.resources import NOTHING, Resources, total
from attacca.worker.config import WorkerConfig
from attacca.worker.core.events import MakeTemplate
from attacca.worker.runtime.scripted import Times
from tests.worker.stage import Stage, revision

SIZES = tuple(Resources(size_mb) for size_mb in (32, 64, 100, 128, 300, 900))
CONFIGS = st.builds(
    WorkerConfig,
    memory_mb=st.sampled_from((32, 100, 256, 1000, 4000)),
    memory_buffer_mb=st.sampled_from((0, 20)),
    templates=st.booleans(),
)
WISHES = st.lists(
    st.builds(Wish, st.sampled_from("abcdef"), st.sampled_from((0, 1, 2, 7, 10_000)), st.sampled_from(SIZES)),
    unique_by=lambda one: one.function,
    max_size=5,
)
KEPT = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 40))


def reserved(config: WorkerConfig, wishes: list[Wish], granted: dict[str, int]) -> Resources:
    return total(cost(config, granted[one.function], one.resources) for one in wishes)


@given(CONFIGS, WISHES, KEPT)
def test_room_for_any_function_is_left_and_nobody_gets_more_than_it_wants(
    config: WorkerConfig, wishes: list[Wish], kept: dict[str, int]
) -> None:
    granted = grant(config, wishes, kept)
    assert all(0 <= granted[one.function] <= one.count for one in wishes)
    taken = reserved(config, wishes, granted)
    assert taken == NOTHING or (taken + room(config, wishes)).fits(config.resources)
    assert grant(config, wishes, granted) == granted, "it is at rest"


@given(CONFIGS, WISHES)
def test_who_gets_less_than_it_wants_could_not_have_one_more(config: WorkerConfig, wishes: list[Wish]) -> None:
    granted = grant(config, wishes, {})
    free = config.resources - room(config, wishes) - reserved(config, wishes, granted)
    for one in wishes:
        count = granted[one.function]
        more = cost(config, count + 1, one.resources) - cost(config, count, one.resources)
        assert count == one.count or not more.fits(free)


@given(CONFIGS, WISHES, st.data())
def test_who_is_taken_gets_all_and_nobody_loses(config: WorkerConfig, wishes: list[Wish], data: st.DataObject) -> None:
    granted: dict[str, int] = {}
    known: list[Wish] = []
    for asked in [*wishes, *data.draw(WISHES)]:
        others = [one for one in known if one.function != asked.function]
        if refuse(config, asked, others, granted) is not None:
            continue
        known = [asked, *others]
        after = grant(config, known, granted)
        assert after[asked.function] == asked.count
        assert all(after[one.function] == one.count for one in others)
        granted = after


@given(CONFIGS, WISHES, st.data())
def test_who_asks_for_no_more_than_it_has_is_always_taken(
    config: WorkerConfig, wishes: list[Wish], data: st.DataObject
) -> None:
    """Also when the worker has come back with less memory than it had: a correction can be deployed."""
    granted = grant(config, wishes, {})
    for one in wishes:
        less = Wish(one.function, data.draw(st.integers(0, granted[one.function])), one.resources)
        others = [other for other in wishes if other is not one]
        if one.resources.fits(config.resources):
            assert refuse(config, less, others, granted) is None


FUNCTIONS = st.lists(
    st.tuples(st.sampled_from("abcde"), st.integers(0, 12), st.sampled_from((32, 64, 100, 200, 300))), max_size=8
)


@pytest.mark.long
@given(
    FUNCTIONS,
    st.builds(WorkerConfig, memory_mb=st.just(1000), templates=st.booleans()),
    st.sampled_from((16, 64, 400)),
    st.sampled_from((1, 20)),
)
def test_whatever_was_taken_every_function_runs_and_every_correction_is_checked(
    functions: list[tuple[str, int, int]], config: WorkerConfig, template_mb: int, sent: int
) -> None:
    stage = Stage(config, times=Times(template_mb=template_mb, run_ms=200))
    current: dict[str, Revision] = {}
    for number, (name, count, memory_mb) in enumerate(functions, 1):
        wanted = revision(name, number, min_sandboxes=count, memory_mb=memory_mb)
        stage.check(wanted)
        stage.play(30)
        error = stage.checked[-1].error
        assert error is None or error.code == "too_much_reserved"
        if error is None:
            current[name] = wanted
            stage.tell(Deployed(number, wanted))
            stage.play(3)
    for one in current.values():
        ended = stage.send(one, sent)
        stage.play(60)
        assert ended in stage.ended
    for name, one in current.items():
        for settings in ({"min_sandboxes": one.settings.min_sandboxes}, {}):
            stage.check(revision(name, 99, memory_mb=one.settings.memory_mb, **settings))
            stage.play(50)
            assert stage.checked[-1].error is None
    asked = {name: one.settings.min_sandboxes for name, one in current.items() if one.settings.min_sandboxes}
    assert stage.core.catalogue.granted() == asked
    stage.play(120)
    for name, one in current.items():
        assert stage.idle(name) >= one.settings.min_sandboxes


def test_a_refusal_has_the_numbers_and_what_fits() -> None:
    config = WorkerConfig(memory_mb=1000)
    refusal = refuse(config, Wish("greedy", 10_000, Resources(32)), [Wish("kept", 2, Resources(100))], {"kept": 2})
    assert isinstance(refusal, TooMuchReserved)
    for words in ("min_sandboxes = 10000 of 32 MB", "1000 MB", "300 MB are reserved", "('kept')", "128 MB stay free"):
        assert words in refusal.message
    assert "min_sandboxes = 16 fits" in refusal.hint
    assert refuse(config, Wish("greedy", 16, Resources(32)), [Wish("kept", 2, Resources(100))], {"kept": 2}) is None
    assert refuse(config, Wish("greedy", 17, Resources(32)), [Wish("kept", 2, Resources(100))], {"kept": 2}) is not None
    large = refuse(config, Wish("large", 0, Resources(900)), [Wish("kept", 2, Resources(100))], {"kept": 2})
    assert large is not None
    assert "'large' asks for memory_mb = 900" in large.message


@pytest.mark.parametrize("count", [9, 10_000])
def test_a_check_that_asks_for_too_much_is_refused_at_once(count: int) -> None:
    stage = Stage()
    stage.check(revision("greedy", min_sandboxes=count))
    assert [found.error.code for found in stage.checked if found.error] == ["too_much_reserved"]
    assert stage.all(MakeTemplate) == []
    stage.check(revision("greedy", min_sandboxes=7))
    stage.play(1)
    assert stage.checked[-1].error is None


def test_a_worker_with_less_memory_than_before_reserves_what_fits_in_order_and_can_be_corrected() -> None:
    stage = Stage()
    wanted = tuple(revision(name, min_sandboxes=100) for name in ("bee", "ant"))
    stage.tell(Catalogue(1, (*wanted, revision("cat", memory_mb=300))))
    stage.play(60)
    assert stage.core.catalogue.granted() == {"ant": 6, "bee": 0}
    assert stage.idle("ant") >= 6
    ended = stage.send(revision("cat", memory_mb=300))
    stage.play(5)
    assert ended in stage.ended
    stage.check(revision("ant", 2, min_sandboxes=1))
    stage.play(5)
    assert stage.checked[-1].error is None
    stage.deploy("ant", 2, min_sandboxes=1)
    assert stage.core.catalogue.granted() == {"ant": 1, "bee": 4}


def test_what_is_ordered_ahead_is_no_more_than_there_can_be() -> None:
    stage = Stage()
    stage.deploy("kept", min_sandboxes=3)
    stage.deploy("echo")
    stage.play(5)
    refusal = stage.core.catalogue.refuse_order("echo", 7)
    assert refusal is not None
    assert "hold 6 of them" in refusal.message
    assert stage.core.catalogue.refuse_order("echo", 6) is None
    stage.tell(Prewarm("echo", 10_000))
    stage.play(5)
    stage.check(revision("new", memory_mb=300))
    stage.play(5)
    assert stage.checked[-1].error is None
    assert stage.idle("kept") == 3
