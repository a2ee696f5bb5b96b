from itertools import pairwise
from statistics import mean, pstdev

from attacca.guest.context import Context, Function, own
from attacca.model.trace import NUMBERS, TraceParent, goes_on, is_chosen, number_of, parsed, span_of, trace_of
from tests.cases import each

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@each(
    "field, expected",
    [
        (f"00-{TRACE}-{SPAN}-01", TraceParent(TRACE, SPAN, 1)),
        (f" 00-{TRACE}-{SPAN}-00\t", TraceParent(TRACE, SPAN, 0)),
        (f"00-{TRACE}-{SPAN}-ff", TraceParent(TRACE, SPAN, 255)),
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like", TraceParent(TRACE, SPAN, 1)),
        (f"cc-{TRACE}-{SPAN}-01.what", None),
        (f"00-{TRACE}-{SPAN}-01-more", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{TRACE.upper()}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE}-{SPAN}-0", None),
        (f"0-{TRACE}-{SPAN}-01", None),
        (f"00-{TRACE}-{SPAN}-01\n", None),
        (f"00-{TRACE}-{SPAN}", None),
        ("", None),
        ("0" * 5000, None),
    ],
)
def test_a_field_is_taken_as_the_document_says(field: str, expected: TraceParent | None) -> None:
    assert parsed(field) == expected


def test_what_goes_on_is_of_our_version_and_has_no_flags_that_we_do_not_know() -> None:
    assert str(TraceParent(TRACE, SPAN, 255)) == f"00-{TRACE}-{SPAN}-01"
    assert parsed(str(TraceParent(TRACE, SPAN, 0))) == TraceParent(TRACE, SPAN, 0)


def test_the_name_of_an_invocation_says_which_trace_it_begins() -> None:
    trace, span = trace_of("9f-1"), span_of("9f-1")
    assert parsed(str(TraceParent(trace, span))) == TraceParent(trace, span)
    assert trace == trace_of("9f-1") != trace_of("9f-2")
    assert len({span_of("9f-1"), span_of("9f-1", "run"), span_of("9f-2"), span_of("9f-1", "code")}) == 4


def test_what_a_function_goes_on_with_is_named_after_its_invocation_where_nobody_chose_it() -> None:
    told = f"00-{trace_of('9f-1')}-{span_of('9f-1', 'run')}-00"
    assert goes_on("9f-1") == told
    assert own("9f-1") == told, "the sandbox says the same"
    told_of, alone = (Function("f", 1, 128, 1.0, is_traced=is_traced) for is_traced in (True, False))
    assert Context(told_of, "9f-1").traceparent == told
    assert Context(told_of, "9f-1", "00-1-2-01").traceparent == Context(alone, "9f-1", "00-1-2-01").traceparent
    assert Context(alone, "9f-1").traceparent == "", "nobody traces it"
    assert own("\udcff").startswith(f"00-{trace_of(chr(0xDCFF))}-")


def test_names_that_follow_each_other_are_chosen_as_if_at_random() -> None:
    found = [number_of(f"9f3a01c2d4e5-{number:x}") < NUMBERS // 100 for number in range(20_000)]
    places = [place for place, is_one in enumerate(found) if is_one]
    gaps = [after - before for before, after in pairwise(places)]
    assert 150 < len(places) < 250
    assert 0.85 < pstdev(gaps) / mean(gaps) < 1.15, "as far apart as what is drawn, neither in step nor in heaps"


def test_about_so_many_are_chosen_and_a_higher_rate_chooses_those_of_a_lower() -> None:
    traces = [trace_of(f"i-{number}") for number in range(2000)]
    few = {trace for trace in traces if is_chosen(trace, 0.1)}
    many = {trace for trace in traces if is_chosen(trace, 0.5)}
    assert 140 < len(few) < 260
    assert few < many
    assert all(is_chosen(trace, 1.0) for trace in traces)
    assert not any(is_chosen(trace, 0.0) for trace in traces)
