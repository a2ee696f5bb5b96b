"""An image lies on the one worker that is to have it, sandboxes are made there, and another has it when that ends."""

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
    image = python_image.unpacked(tmp_path / "unpacked")
    doings = {"box": "python", "quiet": "echo"}
    layouts = {name: python_image.laid_out(tmp_path / name, doing, image) for name, doing in doings.items()}
    with cluster(tmp_path, workers=2, words=("--set", "control.prefetch=one")) as planes:
        control, gateway = planes.control, planes.gateways["g1"]

        def lies_on(name: str) -> list[str]:
            found: list[str] = control.get(f"/api/functions/{name}")["lies_on"]
            return found

        for name, layout in layouts.items():
            said = deploy(control, layout, name, scheduling="cluster", placement="locality")
            assert '"done"' in said[-1], said
        (first,) = lies_on("quiet")
        for _ in range(2):
            assert run(gateway, "said = 6 * 7").value == 42
        assert lies_on("box") == [first]
        holds = {one["name"]: one["holds"] for one in control.get("/api/cluster")["workers"]}
        assert holds == {name: 2 * (name == first) for name in planes.workers}
        planes.workers.pop(first).kill()
        (second,) = planes.workers
        until(lambda: lies_on("quiet") == [second], "another has fetched it, and nobody has called it")
        assert gateway.ask("POST", "/function/quiet", b"hello").body == b"hello"
