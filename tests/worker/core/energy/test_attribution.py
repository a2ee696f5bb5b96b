from hypothesis import given
from hypothesis import strategies as st

from attacca.worker.core.energy.attribution import Divided, IdleBy, Moment, Part, Present, divide

PRESENT = st.dictionaries(
    st.sampled_from("abc"), st.builds(Present, st.integers(0, 4).map(float), st.sampled_from([0.0, 0.25])), max_size=3
)
MOMENTS = st.builds(Moment, st.integers(1, 3).map(float), st.integers(0, 90).map(float), st.integers(0, 8).map(float))


def test_computing_goes_by_processor_time_and_being_on_by_memory() -> None:
    present = {"a": Present(1.0, 0.5), "b": Present(0.0, 0.25)}
    assert divide(Moment(2.0, 100.0, 2.0), present, 10.0, IdleBy.MEMORY, 0.0) == Divided(
        of={"a": Part(40.0, 10.0, 0.0), "b": Part(0.0, 5.0, 0.0)}, other_j=40.0, idle_j=5.0, per_cpu_s=40.0
    )


def test_being_on_goes_by_other_rules_too() -> None:
    present = {"a": Present(3.0, 0.5), "b": Present(1.0, 0.25)}

    def idle(by: IdleBy) -> list[float]:
        return [one.idle_j for one in divide(Moment(1.0, 20.0, 4.0), present, 8.0, by, 0.0).of.values()]

    assert idle(IdleBy.CPU) == [6.0, 2.0]
    assert idle(IdleBy.SANDBOXES) == [4.0, 4.0]
    assert idle(IdleBy.NOBODY) == [0.0, 0.0]


def test_what_is_unsure_is_said() -> None:
    divided = divide(
        Moment(1.0, 50.0, 1.0), {"a": Present(0.5, 0.0), "b": Present(0.0, 0.0)}, 0.0, IdleBy.CPU, 0.01, 4.0
    )
    assert divided.of["a"].error_j == 50.0 * 0.01 + 4.0 * 0.5
    assert divided.of["b"].error_j == 0.0, "who had nothing is owed nothing"


def test_sandboxes_that_seem_to_have_had_more_than_all_share_what_there_is() -> None:
    divided = divide(Moment(1.0, 30.0, 1.0), {"a": Present(2.0, 0.0), "b": Present(1.0, 0.0)}, 0.0, IdleBy.CPU, 0.0)
    assert (divided.of["a"].computing_j, divided.of["b"].computing_j, divided.other_j) == (20.0, 10.0, 0.0)


@given(MOMENTS, PRESENT, st.integers(0, 40), st.sampled_from(IdleBy))
def test_the_parts_are_the_whole_and_none_is_negative(
    moment: Moment, present: dict[str, Present], idle_w: int, by: IdleBy
) -> None:
    divided = divide(moment, present, idle_w, by, 0.01)
    parts = [divided.other_j, divided.idle_j]
    parts += [part for one in divided.of.values() for part in (one.computing_j, one.idle_j)]
    assert all(part >= 0.0 for part in (*parts, *(one.error_j for one in divided.of.values())))
    assert abs(sum(parts) - moment.joules) < 1e-9


@given(MOMENTS, PRESENT, st.sampled_from(IdleBy))
def test_who_had_more_of_processors_has_no_smaller_part(
    moment: Moment, present: dict[str, Present], by: IdleBy
) -> None:
    of = divide(moment, present, 5.0, by, 0.01).of
    for a, b in ((a, b) for a in present for b in present if present[a].cpu_s <= present[b].cpu_s):
        assert of[a].computing_j <= of[b].computing_j
