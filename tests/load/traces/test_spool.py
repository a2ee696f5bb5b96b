import gc
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.load.traces import spool as spooling
from attacca.load.traces.spool import Spool
from attacca.load.traces.types import INVOCATION_SCHEMA

TIMES = st.lists(st.integers(-50, 500), max_size=30)


@given(st.lists(TIMES, max_size=4), st.sampled_from([0, 5, 1000]), st.integers(-60, 510), st.integers(-60, 510))
def test_whatever_goes_in_comes_out_by_arrival(batches: list[list[int]], in_memory: int, first: int, last: int) -> None:
    spool = Spool(in_memory, span_s=60.0)
    before = spooling.GATHER
    spooling.GATHER = 4
    try:
        for batch in batches:
            spool.add(
                pl.DataFrame(
                    {"arrival_s": batch, "function": [0] * len(batch), "duration_ms": batch}, schema=INVOCATION_SCHEMA
                )
            )
    finally:
        spooling.GATHER = before
    every = sorted(at for batch in batches for at in batch)
    assert [at for chunk in spool.chunks() for at in chunk["arrival_s"]] == every
    assert [at for chunk in spool.chunks(first, last) for at in chunk["arrival_s"]] == [
        at for at in every if first <= at < last
    ]
    assert spool.range() == ((every[0], every[-1]) if every else (0, 0))
    assert spool.rows == len(every)


def test_files_go_when_the_spool_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    spool = Spool(in_memory=0)
    spool.add(pl.DataFrame({"arrival_s": [1.0], "function": [0], "duration_ms": [1.0]}))
    assert sum(chunk.height for chunk in spool.chunks()) == 1
    assert len(list(tmp_path.iterdir())) == 1
    del spool
    gc.collect()
    assert list(tmp_path.iterdir()) == []
