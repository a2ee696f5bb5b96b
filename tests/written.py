"""What can be seen only of cores as they are written: compiled ones cannot be patched, nor watched on their way."""

import pytest

from attacca.cores import are_compiled

as_written = pytest.mark.skipif(are_compiled(), reason="the cores are compiled (ATTACCA_CORES=python runs it)")
