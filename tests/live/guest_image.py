"""Images of this very Python, unpacked, in which functions lie: what the runtime for those is given by its store."""

import atexit
import functools
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attacca
from attacca.images import host_python
from attacca.images.core.manifests import OCI_MANIFEST
from attacca.model.image import ImageConfig, UnpackedImage
from tests.images.stage import parts, sha

APPS = "apps"
PACKAGES = str(Path(attacca.__file__).parents[1])
LOADED = """
import importlib, os, pathlib, sys
sys.path.append(PACKAGES)
for name in ("worker.runtime.process.zygote", "guest"):
    for path in pathlib.Path(PACKAGES, "attacca", *name.split(".")).glob("*.py"):
        if not path.stem.startswith("__") and path.stem not in ("arrival", "component"):
            importlib.import_module(f"attacca.{name}.{path.stem}")
import ast, concurrent.futures.thread, encodings.ascii, encodings.idna, encodings.latin_1, pkgutil, subprocess, tokenize
for module in sys.modules.values():
    for path in (getattr(module, "__file__", None), getattr(module, "__cached__", None)):
        if path and os.path.exists(path) and not path.startswith(PACKAGES):
            print(path)
"""


class Images:
    """A `Roots`: several images in one root, each beginning in a place of its own. `directory` is empty at first."""

    def __init__(self, directory: Path) -> None:
        self.roots, self.root = directory, directory / "root"
        self._configs: dict[str, ImageConfig] = {}

    def open(self) -> None:
        if not self.root.exists():
            shutil.copytree(python(), self.root, symlinks=True, copy_function=_link)

    def put(self, name: str, files: Mapping[str, str], **config: Any) -> Path:
        """Where these lie, of the image that is called so."""
        self.open()
        here = self.root / APPS / name
        for file, text in files.items():
            path = here / file
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text))
        told = {"env": ("PATH=/usr/bin",), "working_dir": f"/{APPS}/{name}", **config}
        self._configs[name] = ImageConfig(**told)
        return here

    async def rootfs(self, digest: str) -> UnpackedImage:
        return UnpackedImage(digest, str(self.root), self._configs[digest])


def laid_out(directory: Path, images: Images, name: str, labels: Mapping[str, str]) -> Path:
    """One of them, as the OCI lays an image out, in an empty directory."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        archive.add(images.root, arcname=".")
    runs: dict[str, object] = {"Env": ["PATH=/usr/bin"], "WorkingDir": f"/{APPS}/{name}", "Labels": dict(labels)}
    blobs, manifest = parts(layer.getvalue(), runs=runs, level=1)
    (directory / "blobs" / "sha256").mkdir(parents=True)
    for blob in (*blobs, manifest):
        (directory / "blobs" / "sha256" / sha(blob).removeprefix("sha256:")).write_bytes(blob)
    one = {"mediaType": OCI_MANIFEST, "digest": sha(manifest), "size": len(manifest)}
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [one]}))
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return directory


@functools.cache
def python() -> Path:
    """A root file system with this Python in it, as far as we need it, compiled."""
    root = Path(tempfile.mkdtemp(prefix="attacca-python-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    interpreter, library = host_python.interpreter(), host_python.library()
    words = [str(interpreter), "-I", "-c", f"PACKAGES = {PACKAGES!r}\n{LOADED}"]
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    modules = {Path(line) for line in told.splitlines()} | {library / "os.py"}
    binaries = [interpreter, *(one for one in modules if one.suffix == ".so")]
    for path in {*binaries, *modules, *host_python.needed(binaries)}:
        target = root / str(path).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target)
    for name in ("usr/bin", "tmp", "proc", "dev", "etc", APPS, str(library / "lib-dynload").lstrip("/")):
        (root / name).mkdir(parents=True, exist_ok=True)
    if not (root / "usr/bin/python3").exists():
        (root / "usr/bin/python3").symlink_to(interpreter)
    (root / "etc" / "passwd").write_text("root:x:0:0::/:/bin/sh\n")
    root.chmod(0o755)
    return root


def _link(source: str, target: str) -> None:
    """Nobody writes to it."""
    try:
        os.link(source, target)
    except OSError:  # another file system, or another's file
        shutil.copy2(source, target)
