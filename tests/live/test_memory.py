"""What is said of memory, against what is known of it: a group of known room."""

import os
import subprocess
import sys

import pytest

from attacca.worker.host.cgroups import open_groups
from attacca.worker.host.memory import available_mb
from tests.live.whole import until

ASKER = "input(); from attacca.worker.host.memory import available_mb; print(available_mb())"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can surely make a group")
def test_no_more_is_available_than_the_tightest_group_has_left() -> None:
    groups = open_groups()
    assert groups is not None
    group = groups.make()
    with subprocess.Popen([sys.executable, "-c", ASKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        group.limit(memory_mb=300, processes=8, cpus=None)
        group.add(process.pid)
        told, _ = process.communicate(b"go\n")
    assert 200 < int(told) < min(300, available_mb())
    until(group.is_removed, "it is empty")
    groups.close()
