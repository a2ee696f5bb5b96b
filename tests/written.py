"""What can be seen only of cores as they are written: compiled ones cannot be patched, nor watched on their way."""

from pathlib import Path
from types import ModuleType

import pytest

from attacca.cores import are_compiled

as_written = pytest.mark.skipif(are_compiled(), reason="the cores are compiled (ATTACCA_CORES=python runs it)")


def source_of(module: ModuleType) -> Path:
    """Of one that may be compiled; a frame of either names the end of this path as its file."""
    return Path(__file__).parents[1] / f"{module.__name__.replace('.', '/')}.py"
