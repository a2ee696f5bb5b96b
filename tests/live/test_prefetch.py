"""An image lies on the one worker that is to have it, sandboxes are made there, and another has it when that is gone."""

import os
from pathlib import Path

import pytest

from tests.live import needed, python_image
from tests.live.apart import cluster
from tests.live.test_containers import deploy, run
from tests.live.whole import until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="containers are made by root")


def test_one_has_it_and_is_asked_and_when_it_is_killed_another_has_it(tmp_path: Path) -> None:
    needed.expect("crun")
    layout = python_image.laid_out(tmp_path / "image", "python")
    with cluster(tmp_path, workers=2, words=("--set", "control.prefetch=one")) as planes:
        control, gateway = planes.control, planes.gateways["g1"]
        said = deploy(control, layout, "box", scheduling="cluster", placement="locality")
        assert '"done"' in said[-1], said
        (first,) = control.get("/api/functions/box")["lies_on"]
        assert {one["name"]: one["holds"] for one in control.get("/api/cluster")["workers"]} == {
            name: int(name == first) for name in planes.workers
        }
        for _ in range(2):
            assert run(gateway, "said = 6 * 7").value == 42
        assert control.get("/api/functions/box")["lies_on"] == [first]
        planes.workers.pop(first).kill()
        (second,) = planes.workers
        until(lambda: control.get("/api/functions/box")["lies_on"] == [second], "another has fetched it")
        until(lambda: [*(tmp_path / second / "images" / "rootfs").iterdir()], "and unpacked it")
        assert run(gateway, "said = 6 * 7").value == 42
