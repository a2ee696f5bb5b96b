from pathlib import Path

import msgspec
import pytest

from attacca.cli.serve.doctor import accelerators
from attacca.worker.runtime.container.options import ContainerOptions


def test_devices_of_containers_are_looked_for_where_the_settings_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    told = {"cdiVersion": "0.6.0", "kind": "vendor.com/gpu", "devices": [{"name": "0"}, {"name": "1"}]}
    (tmp_path / "vendor.json").write_bytes(msgspec.json.encode(told))
    check = accelerators(ContainerOptions(cdi_dirs=(str(tmp_path),)))
    assert check.detail.endswith("vendor.com/gpu for containers: 0 1")
    assert check.ok
