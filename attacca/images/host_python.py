"""A base without a base: this machine's own Python, its standard library, and the shared objects that they need."""

import os
import platform
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

from attacca.errors import BuildFailed
from attacca.images.packing import STICKY, Item, directory, file_item, symlink

LEFT_OUT = frozenset(
    ("__pycache__", "site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip")
)
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
FOUND = re.compile(rb"^\s+(?:\S+ => )?(/\S+) \(0x[0-9a-f]+\)", re.MULTILINE)
LDD_S = 60
FILES = {
    "etc/passwd": b"root:x:0:0:root:/root:/bin/false\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    "etc/group": b"root:x:0:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": b"hosts: files dns\n",
}


def version() -> str:
    return platform.python_version()


def library() -> Path:
    return Path(sysconfig.get_path("stdlib"))


def interpreter() -> Path:
    """The program itself, also from within a virtual environment."""
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()


def files(below: Path) -> Iterator[Path]:
    """Of a library, without what is only for those who work on it."""
    for root, names, found in os.walk(below):
        names[:] = sorted(name for name in names if name not in LEFT_OUT and not name.startswith("config-"))
        yield from (Path(root, name) for name in sorted(found) if not name.endswith((".pyc", ".a")))


def around() -> list[Item]:
    """What is there besides: where to write, who is who, and whom to believe. And under which names Python is found."""
    at = str(interpreter())
    items = [directory("tmp", STICKY), directory("root"), directory("proc"), directory("dev"), directory("sys")]
    items += [Item(name, source=content) for name, content in FILES.items()]
    names = {f"usr/bin/{name}" for name in ("python3", "python", interpreter().name)}
    items += [symlink(name, at) for name in sorted(names) if f"/{name}" != at]
    return items + ([file_item(str(CERTIFICATES), CERTIFICATES)] if CERTIFICATES.is_file() else [])


def programs(library_files: Iterable[Path]) -> list[Item]:
    """The interpreter, what of its library is no source, and the shared objects that these are linked with.

    Raises:
        BuildFailed: it cannot be told which.
    """
    found = [interpreter(), *(path for path in library_files if path.suffix != ".py")]
    shared = needed([path for path in found if path.suffix == ".so" or path == found[0]])
    return [file_item(str(path), path) for path in (*found, *shared)]


def needed(paths: Iterable[Path]) -> list[Path]:
    """By `ldd`, under the names by which they are looked for.

    Raises:
        BuildFailed: it cannot say.
    """
    try:
        told = subprocess.run(["ldd", *map(str, paths)], capture_output=True, check=False, timeout=LDD_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildFailed(
            f"ldd cannot say what Python is linked with: {error}", "build on a machine with glibc"
        ) from None
    if b"=> not found" in told.stdout:
        lost = re.findall(rb"(\S+) => not found", told.stdout)
        raise BuildFailed(
            f"{lost[0].decode(errors='replace')}, which Python is linked with, is not found", "install it"
        )
    return [Path(os.fsdecode(one)) for one in sorted(set(FOUND.findall(told.stdout)))]
