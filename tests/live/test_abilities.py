"""Workers that are not alike: a function goes only where its network is, and where nobody has it, hears why."""

import os
from pathlib import Path

import pytest

from tests.live.apart import Cluster, cluster
from tests.live.whole import until

CODE = "def handler(event, context):\n    return 1\n"


def served(made: Cluster, function: str) -> dict[str, int]:
    """By worker: so many answers."""
    views = {view["name"]: view["functions"] for view in made.control.get("/api/workers")}
    return {name: sum(one["invocations"] for one in of if one["function"] == function) for name, of in views.items()}


@pytest.mark.skipif(os.geteuid() != 0, reason="ways out of sandboxes are made by root")
def test_a_function_that_goes_out_runs_only_on_workers_that_can_let_it(tmp_path: Path) -> None:
    with cluster(tmp_path, workers=0, gateways=0) as made:
        made.worker("plain", "--isolation", "none")
        made.worker("whole")
        gateway = made.gateway("g")
        made.until_joined()
        made.control.deploy("out", CODE, network="nat")
        for _ in range(6):
            assert gateway.call("out").status == 200
        until(lambda: sum(served(made, "out").values()) == 6, "all are counted")
        assert served(made, "out") == {"plain": 0, "whole": 6}
        made.workers.pop("whole").stop()
        until(lambda: len(made.control.get("/api/workers")) == 1, "it is gone")
        refused = gateway.call("out")
        assert "needs isolation" in refused.error["message"]
