from attacca.model.trace import TraceParent, is_chosen, parsed, span_of, trace_of
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


def test_about_so_many_are_chosen_and_a_higher_rate_chooses_those_of_a_lower() -> None:
    traces = [trace_of(f"i-{number}") for number in range(2000)]
    few = {trace for trace in traces if is_chosen(trace, 0.1)}
    many = {trace for trace in traces if is_chosen(trace, 0.5)}
    assert 140 < len(few) < 260
    assert few < many
    assert all(is_chosen(trace, 1.0) for trace in traces)
    assert not any(is_chosen(trace, 0.0) for trace in traces)
