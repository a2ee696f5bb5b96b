"""The disks of micro-VMs: a root that all share, and one for each directory of code and each bundle. None is ever
written to by a guest."""

import compileall
import contextlib
import hashlib
import os
import py_compile
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attacca.errors import StartFailed
from attacca.images import host_python
from attacca.images.packing import Item
from attacca.worker.host import tap
from attacca.worker.runtime.microvm.inside.words import PLACE
from attacca.worker.runtime.process.zygote import rootfs

OURS: Final = Path(__file__).parents[3]  # the package
PARTS: Final = ("guest", "worker/runtime/process/zygote", "worker/runtime/microvm/inside")
ALONE: Final = ("worker/host/netlink.py", "worker/host/tap.py")  # modules whose packages are not in it
INIT: Final = f"{PLACE}/attacca/worker/runtime/microvm/inside/init.py"
MAKE: Final = "mke2fs"
FAILED: Final = "the disk of a micro-VM could not be made"
MAKE_S: Final = 300.0
BLOCK: Final = 4096
SLACK: Final = 4 << 20  # bytes of a disk for what is no file's content
FILES: Final = {
    "etc/passwd": rootfs.PASSWD,
    "etc/group": rootfs.GROUP,
    "etc/hosts": "127.0.0.1\tlocalhost\n::1\tlocalhost\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
    "etc/resolv.conf": f"nameserver {tap.HERE}\n",  # of one that has a network
}
UNFINISHED: Final = ".unfinished-"
MACHINE: Final = ".machine-"  # and the number of the process whose it is, before the names of directories of machines
TAG: Final = sys.implementation.cache_tag


class Disks:
    """Kept below `place`, by what is in them; `code` and `bundles` hold the directories that others are made of."""

    def __init__(self, place: Path, code: Path, bundles: Path) -> None:
        self.place, self._code, self._bundles = place, code, bundles

    def __repr__(self) -> str:
        return f"<Disks {self.place}>"

    def open(self) -> None:
        """What was begun and not finished goes. Blocking."""
        self.place.mkdir(mode=0o755, parents=True, exist_ok=True)
        for left in self.place.glob(f"{UNFINISHED}*"):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)

    def sweep_machines(self) -> None:
        """What is left of machines whose worker is gone goes. Blocking."""
        for left in self.place.glob(f"{MACHINE}*"):
            if not Path("/proc", left.name.split("-")[1]).exists():
                shutil.rmtree(left, ignore_errors=True)

    def are_there(self) -> bool:
        """Whether anybody has had a machine here. Blocking."""
        return any(self.place.glob("root-*"))

    def root(self, busybox: Path) -> Path:
        """With this machine's Python, for as long as that stays as it is. Blocking: seconds, the first time.

        Raises:
            BuildFailed, StartFailed, OSError: it cannot be made.
        """
        library = list(host_python.files(host_python.library()))
        items = [*host_python.around(), *host_python.programs(library)]
        made = self.place / f"root-{_key([*library, *_ours()], items, busybox)}"
        if not made.exists():
            with self._unfinished() as work:
                _lay_out(work / "tree", library, items, busybox)
                self._make(work / "tree", work / "disk", made)
            for old in self.place.glob("root-*"):
                if old != made:
                    old.unlink(missing_ok=True)
        return made

    def code(self, digest: str) -> Path:
        """Blocking.

        Raises:
            StartFailed, OSError: it cannot be made.
        """
        return self._of("code", self._code / digest)

    def bundle(self, digest: str) -> Path:
        """Blocking.

        Raises:
            StartFailed, OSError: it cannot be made.
        """
        return self._of("bundle", self._bundles / digest)

    def sweep(self) -> None:
        """Disks of what is deployed no longer go. Blocking."""
        for kind, directory in (("code", self._code), ("bundle", self._bundles)):
            for disk in self.place.glob(f"{kind}-*"):
                if not (directory / disk.name.removeprefix(f"{kind}-")).exists():
                    disk.unlink(missing_ok=True)

    def _of(self, kind: str, directory: Path) -> Path:
        made = self.place / f"{kind}-{directory.name}"
        if not made.exists():
            self.sweep()
            with self._unfinished() as work:
                self._make(directory, work / "disk", made)
        return made

    @contextlib.contextmanager
    def _unfinished(self) -> Iterator[Path]:
        work = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self.place))
        try:
            yield work
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _make(self, tree: Path, disk: Path, made: Path) -> None:
        size, files = _extent(tree)
        command = [MAKE, "-q", "-F", "-t", "ext4", "-b", str(BLOCK), "-m", "0", "-N", str(files + 64), "-d", str(tree)]
        command += ["-O", "^has_journal,^resize_inode", "-E", "root_owner=0:0", str(disk), str(size // BLOCK)]
        try:
            ran = subprocess.run(command, capture_output=True, check=False, timeout=MAKE_S, env=_paths())
        except (OSError, subprocess.TimeoutExpired) as error:
            raise StartFailed(f"{FAILED}: {error}", "apt-get install e2fsprogs") from None
        if ran.returncode != 0:
            said = ran.stderr.decode(errors="replace").strip()[-300:]
            raise StartFailed(f"{FAILED}: {said}", "`attacca doctor` says what is there")
        disk.chmod(0o444)
        os.rename(disk, made)


def directory(place: Path) -> Path:
    """Of a machine of this process. Blocking."""
    made = place / f"{MACHINE}{os.getpid()}-{secrets.token_hex(8)}"
    made.mkdir(mode=0o700)
    return made


def _paths() -> dict[str, str]:
    return {"PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin", "MKE2FS_CONFIG": "/dev/null"}


def _extent(tree: Path) -> tuple[int, int]:
    """How large a disk has to be for what lies there, and how many files that is."""
    size = files = 0
    for root, directories, names in os.walk(tree):
        files += len(directories) + len(names)
        size += BLOCK * (len(directories) + 1 + len(names) // 32)
        size += sum(-(-os.lstat(os.path.join(root, name)).st_size // BLOCK) * BLOCK for name in names)
    inodes = (files + 64) * 256
    return -(-(size + size // 32 + inodes + SLACK) // BLOCK) * BLOCK, files


def _ours() -> Iterator[Path]:
    for part in (*PARTS, *ALONE):
        yield from [OURS / part] if part in ALONE else sorted((OURS / part).rglob("*.py"))
        for above in Path(part).parents:
            yield OURS / above / "__init__.py"


def _key(files: list[Path], items: list[Item], busybox: Path) -> str:
    whole = hashlib.sha256(host_python.version().encode())
    sources = [item.source for item in items if isinstance(item.source, Path)]
    for path in (*files, *sources, busybox):
        found = path.stat()
        whole.update(f"{path}\0{found.st_size} {found.st_mtime_ns}\0".encode())
    return whole.hexdigest()[:32]


def _lay_out(tree: Path, library: list[Path], items: list[Item], busybox: Path) -> None:
    """All that a root has, below `tree`; with the machine code of modules where Python has kept it."""
    for name in (*rootfs.EMPTY, "sys", "bin", "dev/shm"):
        (tree / name).mkdir(parents=True, exist_ok=True)
    for name, text in FILES.items():
        (tree / name).write_text(text)
    for item in items:
        target = tree / item.name.lstrip("/")
        if isinstance(item.source, Path):
            _copy(item.source, target)
    compiled = [path.parent / "__pycache__" / f"{path.stem}.{TAG}.pyc" for path in library if path.suffix == ".py"]
    for path in (*library, *(one for one in compiled if one.is_file())):
        _copy(path, tree / str(path).lstrip("/"))
    for path in _ours():
        _copy(path, tree / PLACE.lstrip("/") / "attacca" / path.relative_to(OURS))
    _copy(busybox, tree / "bin" / "busybox")
    for name in ("sh", "env", "cat", "ls", "sleep", "true", "false"):
        (tree / "bin" / name).symlink_to("busybox")
    at = host_python.interpreter()
    for name in ("python", "python3", at.name):
        (tree / rootfs.PROGRAMS.lstrip("/") / name).symlink_to(at)
    (tree / "etc" / "mtab").symlink_to("/proc/mounts")
    ours = tree / PLACE.lstrip("/")
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(ours, quiet=2, stripdir=str(tree), prependdir="/", invalidation_mode=unchecked)


def _copy(source: Path, target: Path) -> None:
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
