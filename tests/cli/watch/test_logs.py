import io

import pytest

from attacca.cli.watch.logs import address, rendered, span
from attacca.errors import BadConfig
from tests.cases import each


@each("text, seconds", [("90", 90), ("30s", 30), ("10m", 600), ("1.5h", 5400), (" 2 d ", 172_800)])
def test_a_span_of_time(text: str, seconds: float) -> None:
    assert span(text) == seconds


@each("text", ["", "m", "10 minutes", "-1s", "1w"])
def test_what_is_no_span_of_time(text: str) -> None:
    with pytest.raises(BadConfig, match="is not a span of time"):
        span(text)


def test_the_address_says_what_is_wanted() -> None:
    assert address("hello", since_s=None, follow=False) == "/api/functions/hello/logs"
    assert address("hello", since_s=0.5, follow=True) == "/api/functions/hello/logs?since=0.5&follow=true"


def test_a_line_names_who_wrote_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    line = {"at": 12.345, "revision": 1, "sandbox": "s1", "invocation": "", "stream": "stderr", "text": "oh\n"}
    assert rendered(line, io.StringIO()).endswith(":12.345 s1 stderr oh")
    assert rendered({**line, "invocation": "i1"}, io.StringIO()).endswith(" i1 stderr oh")
