"""Containers by containerd and docker are given accelerators as files of CDI say it."""

from pathlib import Path

import pytest

from tests.live import python_image
from tests.live.cdi_device import has_what_a_file_says
from tests.live.engines.daemons import running


@pytest.mark.parametrize("kind", ["containerd", "docker"])
def test_one_with_an_accelerator_has_what_a_file_of_cdi_says(kind: str, tmp_path: Path) -> None:
    layout, place = python_image.laid_out(tmp_path / "image", "python"), tmp_path / "place"
    place.mkdir()
    with running(kind, tmp_path / "daemon") as daemon:
        has_what_a_file_says(layout, place, kind, f'{kind} = "{daemon.socket}"')
