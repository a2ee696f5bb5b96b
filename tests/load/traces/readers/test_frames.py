"""Pickles are read by a reader that runs nothing of what is in them."""

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attacca.errors import BadTrace
from attacca.load.traces.readers import frames
from attacca.load.traces.readers.ibm2026 import megabytes, read
from attacca.load.traces.reading import Reading
from tests.load.traces.made import rows

WEEK = {
    "NamespaceHash": ["n", "n"], "AppHash": ["a", "b"], "NumEvents": [2, 1],
    "InvocationTimes": [np.array([18_062.5, 18_001.25]), [18_050.0]], "AppExecTimes": [[5, 7.5], [100.0]],
}  # fmt: skip


class Evil:
    def __init__(self, call: Any, *given: Any) -> None:
        self.call, self.given = call, given

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call, self.given


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_weeks_of_plain_containers(tmp_path: Path, protocol: int) -> None:
    (tmp_path / "week_1.pickle").write_bytes(pickle.dumps(WEEK, protocol))
    configs = [
        {"AppHash": "a", "AppContainerRequestMemory": "4G", "AppContainerConcurrency": 10, "AppMinScale": 0},
        {"AppHash": "a", "AppContainerRequestMemory": "512M", "AppContainerConcurrency": 10, "AppMinScale": 1},
    ]
    (tmp_path / "app_configs.pickle").write_bytes(pickle.dumps(configs, protocol))
    trace = read(tmp_path, Reading())
    assert rows(trace) == [(1.25 + 0, 0, 7.5), (50.0, 1, 100.0), (62.5, 0, 5.0)]
    assert trace.functions.select("memory_mb", "concurrency", "min_sandboxes").rows() == [
        (512, 10, 1),
        (128, None, None),
    ]


@pytest.mark.parametrize(
    "evil",
    [
        Evil(os.system, "echo harm"),
        Evil(eval, "1"),
        Evil(getattr, "text", "encode"),
        Evil(np.load, "x.npy"),
        Evil(__import__, "os"),
        {"AppHash": [Evil(os.getpid)]},
    ],
)
def test_a_pickle_that_names_anything_else_is_refused(tmp_path: Path, evil: object) -> None:
    path = tmp_path / "week_1.pickle"
    path.write_bytes(pickle.dumps(evil))
    with pytest.raises(BadTrace, match="which no table of data needs") as refused:
        frames.columns(path)
    assert "parquet" in refused.value.hint


@pytest.mark.parametrize("content", [b"", b"\x80\x05K", pickle.dumps(3), pickle.dumps({"a": 1}), b"\x00" * 9])
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "week_1.pickle"
    path.write_bytes(content)
    with pytest.raises(BadTrace, match="this pickle is not read"):
        frames.columns(path)


def test_a_frame_as_pandas_writes_it() -> None:
    """Blocks of columns of one type, each with the places of its columns; built here from the stand-ins themselves."""
    names = frames.Index(np.array(["x", "y", "z"], dtype=object))
    numbers = frames.Block(np.array([[1, 2]]), slice(1, 2, 1), 2)
    words = frames.Block(np.array([["a", "b"], ["c", "d"]], dtype=object), np.array([0, 2]), 2)
    frame = frames.Frame()
    frame.__setstate__({"_mgr": frames.Manager((numbers, words), [names, frames.Index(None)])})
    assert frames._as_columns(frame) == {"x": ["a", "b"], "y": [1, 2], "z": ["c", "d"]}


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("4G", 4096),
        ("512M", 512),
        ("1Gi", 1024),
        (0.5, 512),
        (4, 4096),
        (4096, 4096),
        (2**30, 1024),
        (None, None),
        ("x", None),
    ],
)
def test_memory_in_whatever_unit(value: object, size: int | None) -> None:
    assert megabytes(value) == size
