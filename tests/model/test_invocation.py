"""What the making of a sandbox took, cut and put together."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.model.invocation import Making, Timing, timed

TIMES = st.integers(0, 40).map(float)
MAKINGS = st.builds(Making, *[TIMES] * len(Making.__struct_fields__))


@given(MAKINGS, TIMES)
def test_what_is_cut_is_cut_from_the_front(made: Making, left_ms: float) -> None:
    cut = made.within(left_ms)
    assert cut.whole == pytest.approx(min(made.whole, left_ms))
    parts, whole = msgspec.structs.astuple(cut), msgspec.structs.astuple(made)
    assert all(0 <= some <= all_ for some, all_ in zip(parts, whole, strict=True))
    first = next((place for place, some in enumerate(parts) if some), len(parts))
    assert parts[first + 1 :] == whole[first + 1 :]


@given(MAKINGS, TIMES, TIMES, TIMES, TIMES)
def test_what_becomes_known_was_part_of_the_sandbox(
    made: Making, network: float, image: float, code: float, readiness: float
) -> None:
    known = made.knowing(network, image, code, readiness)
    assert known.whole == pytest.approx(made.whole)
    assert min(msgspec.structs.astuple(known)) >= 0
    if network + image + code + readiness <= made.sandbox:
        assert (known.network - made.network, known.image - made.image) == (network, image)
        assert (known.code - made.code, known.readiness - made.readiness) == (code, readiness)


def test_what_came_before_is_added() -> None:
    made = Making(1.0, 2.0, 3.0, 4.0, 5.0, 6.0).after(Making(image=10.0))
    assert made == Making(1.0, 2.0, 13.0, 4.0, 5.0, 6.0)


def test_an_invocation_has_the_parts_of_its_start() -> None:
    timing = timed(Making(1.0, 2.0, 3.0, 4.0, 5.0, 6.0), queued=0.5, placed=0.25, run=7.0)
    assert timing == Timing(0.5, 0.25, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0)
    assert timing.making == Making(1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    assert Making.__struct_fields__ == Timing.__struct_fields__[2:-1]
