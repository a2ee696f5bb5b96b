"""The quick way says what the standard library says; where that has changed inside, it is gone without."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.guest import quickjson

TEXTS = st.text('aé"\\\n/\0', max_size=3)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text('aé"\\\n/\0'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('aé"', max_size=2), inner, max_size=3),
    max_leaves=8,
)


def is_quick() -> tuple[bool, bool]:
    return quickjson._scan is not None, quickjson._encode is not None


@pytest.fixture(params=["quick", "slow"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "slow":
        monkeypatch.setattr(quickjson, "_scan", None)
        monkeypatch.setattr(quickjson, "_encode", None)
    assert is_quick() == ((True, True) if request.param == "quick" else (False, False))
    return str(request.param)


@pytest.mark.long
def test_both_ways_say_what_the_standard_library_says(way: str) -> None:
    @given(VALUES)
    def law(value: Any) -> None:
        text = json.dumps(value, ensure_ascii=False)
        assert quickjson.dumps(value) == text.encode()
        assert quickjson.loads(text.encode()) == value
        assert quickjson.loads(f" {text}\n".encode("utf-16")) == value

    law()


@pytest.mark.parametrize("raw", [b"", b"{", b"NaN", b"[1] 2", b"\xff", b"[-Infinity]", b"'a'"])
def test_both_ways_refuse_alike(way: str, raw: bytes) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - of which kinds, the next lines say
        quickjson.loads(raw)
    assert isinstance(refused.value, json.JSONDecodeError | UnicodeDecodeError)


@pytest.mark.parametrize("value", [float("nan"), {"a": [float("inf")]}])
def test_what_json_has_no_word_for_is_refused_and_does_no_harm(way: str, value: Any) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        quickjson.dumps(value)
    assert quickjson.dumps({"a": {1: (2,)}}) == b'{"a": {"1": [2]}}'
    assert is_quick()[1] is (way == "quick")


def changed_signature(*, markers: Any, **_: Any) -> Any:
    return markers


def one_more_argument(*words: Any) -> Any:
    raise TypeError(f"takes 10 arguments, not {len(words)}")


def other_pieces(*_: Any) -> Any:
    return lambda value, level: (b"{}",)


def other_words(*_: Any) -> Any:
    return lambda value, level: ("{}",)


@pytest.mark.parametrize("made", [None, changed_signature, one_more_argument, other_pieces, other_words])
def test_an_accelerator_that_has_changed_is_done_without(monkeypatch: pytest.MonkeyPatch, made: Any) -> None:
    monkeypatch.setattr("json.encoder.c_make_encoder", made)
    assert quickjson._make_encoder() is None


def test_one_that_is_gone_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("json.encoder.c_make_encoder")
    assert quickjson._make_encoder() is None


@pytest.mark.parametrize("scan", [None, lambda text: (text, 0), lambda text, at: [text, at], lambda text, at: 1 / 0])
def test_a_scanner_that_has_changed_is_done_without(monkeypatch: pytest.MonkeyPatch, scan: Any) -> None:
    monkeypatch.setattr("json.scanner.c_make_scanner", lambda decoder: scan)
    monkeypatch.setattr("json.scanner.make_scanner", lambda decoder: scan)
    assert quickjson._make_scanner() is None
