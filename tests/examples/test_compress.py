"""The compressor on a chapter of Newton's Opticks."""

from pathlib import Path
from typing import Any, cast

import pytest

from examples.compress.main import METHODS, compress, measure

OPTICKS = (Path(__file__).parents[2] / "examples/compress/input/opticks.txt").read_bytes()


def methods(answer: dict[str, object]) -> dict[str, dict[str, Any]]:
    return {result["method"]: result for result in cast("list[dict[str, Any]]", answer["methods"])}


def test_the_whole_chapter() -> None:
    answer = compress(OPTICKS)
    found = methods(answer)
    assert answer["bytes"] == len(OPTICKS)
    assert list(found) == list(METHODS)
    assert found["zlib-1"]["bytes"] > found["zlib-6"]["bytes"] >= found["zlib-9"]["bytes"]
    assert all(2 < result["ratio"] < 6 for result in found.values())
    sizes = {name: result["bytes"] for name, result in found.items()}
    assert answer["smallest"] == min(sizes, key=lambda name: sizes[name])


def test_what_is_said_of_a_method_is_so() -> None:
    page = OPTICKS[:5000]
    for name, result in methods(compress(page)).items():
        pack, unpack = METHODS[name]
        packed = pack(page)
        assert unpack(packed) == page
        assert result["bytes"] == len(packed)
        assert result["ratio"] == pytest.approx(len(page) / len(packed), abs=5e-4)
        assert result["pack_ms"] >= 0


def test_nothing_at_all_can_be_packed_too() -> None:
    assert compress(b"")["bytes"] == 0


def test_a_method_that_loses_something_is_found_out() -> None:
    with pytest.raises(RuntimeError, match="lost something"):
        measure("careless", lambda data: data[:-1], lambda data: data, b"text")
