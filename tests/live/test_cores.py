"""Compiled cores decide what the source decides."""

import os
import subprocess
import sys

import pytest

from attacca.cores import ASKED, PYTHON, are_compiled

# Drawn scenarios: few functions under any policy and any fault. The last line is who has run them.
HASHES = """
from attacca.cores import are_compiled
from attacca.kernel.clock import SystemClock
from attacca.sim.run import Options, run
from attacca.sim.swarm import draw

for seed in range(1, 41):
    print(run(draw(seed), SystemClock(), Options(checks="off")).hash)
print(are_compiled())
"""


def hashes(cores: str) -> list[str]:
    environment = {**os.environ, ASKED: cores}
    ran = subprocess.run([sys.executable, "-c", HASHES], env=environment, capture_output=True, text=True, check=True)
    return ran.stdout.split()


@pytest.mark.skipif(not are_compiled(), reason="there are no compiled cores here: make compile")
def test_simulations_have_the_same_events_compiled_and_as_they_are_written() -> None:
    compiled, written = hashes("any"), hashes(PYTHON)
    assert (compiled.pop(), written.pop()) == ("True", "False")
    assert compiled == written
    assert len(set(compiled)) == 40
