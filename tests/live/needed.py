"""Programs that tests need and this machine may not have: they fail without, unless somebody said that they are to."""

import os
import shutil

import pytest

from attacca.worker.runtime.container.keeping import PLACES

WITHOUT = "ATTACCA_WITHOUT"  # names of them, with commas between


def is_left_out(program: str) -> bool:
    return program in os.environ.get(WITHOUT, "").split(",")


def expect(program: str) -> None:
    if is_left_out(program):
        pytest.skip(f"{WITHOUT} names {program}")
    if shutil.which(program, path=PLACES) is None:
        pytest.fail(f"{program} is not here: scripts/debian.sh {program}, or {WITHOUT}={program}")
