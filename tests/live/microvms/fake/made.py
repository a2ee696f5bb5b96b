"""The fake made ready: a directory that every user may read, with a program called firecracker."""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import yaml  # type: ignore[import-untyped]  # its stubs are a package of their own

from attacca.worker.runtime.microvm.initramfs import read_modules

BESIDE = Path(__file__).parent
GUEST = ("virtio_console", "vsock_loopback")


def make(description: Path, modules: Path) -> Path:
    """The program. Whoever has it made removes its directory."""
    place = Path(tempfile.mkdtemp(prefix="attacca-firecracker-"))
    place.chmod(0o755)
    package = place / "tests" / "live" / "microvms" / "fake"
    package.mkdir(parents=True)
    for name in ("described.py", "bridge.py", "callers.py"):
        shutil.copy(BESIDE / name, package / name)
    (place / "description.json").write_text(json.dumps(yaml.safe_load(description.read_text())))
    for name, data in read_modules(GUEST, modules).items():
        (place / f"{name}.ko").write_bytes(data)
    program = place / "firecracker"
    text = (BESIDE / "program.py").read_text()
    program.write_text(f"#!{os.path.realpath(sys.executable)} -Bs\n{text}")
    program.chmod(0o755)
    return program
