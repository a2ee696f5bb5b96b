"""An image from a directory, without a daemon: what lies below, its files, and what runs."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from attacca.errors import BadConfig, BuildFailed
from attacca.images import host_python
from attacca.images.core.manifests import (
    CONFIG_BYTES,
    Configuration,
    Execution,
    Manifest,
    read_configuration,
)
from attacca.images.packing import Item, Layer, Tick, file_item, finish, pack, padding
from attacca.images.store import ImageStore, here
from attacca.io.archive import files_of
from attacca.model.function import PROGRAM
from attacca.model.image import CONTRACT, Contract

APP = "app"
MAIN = "main.py"
PAD = "opt/attacca/padding"
COMPILE_S = 300


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What the image is to say. An empty `command` is found: `bootstrap`, or `main.py` where there is Python."""

    command: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    pad_bytes: int = 0


class Base(msgspec.Struct, frozen=True):
    """What lies below. `is_python`: this machine's own."""

    manifest: Manifest | None = None
    configuration: Configuration = Configuration()
    layers: tuple[Layer, ...] = ()
    is_python: bool = False


def scratch() -> Base:
    """Nothing."""
    machine = here()
    return Base(configuration=Configuration(machine.architecture, machine.os))


def image(images: ImageStore, digest: str) -> Base:
    """One that is in the store. Blocking."""
    _, manifest = images.manifest(digest)
    return Base(manifest, read_configuration(images.blobs.read(manifest.config.digest, CONFIG_BYTES)))


def relabelled(images: ImageStore, digest: str, labels: Mapping[str, str]) -> str:
    """The same, with these labels besides. Blocking."""
    if not labels:
        return digest
    base = image(images, digest)
    runs = base.configuration.config or Execution()
    runs = msgspec.structs.replace(runs, labels={**(runs.labels or {}), **labels})
    return finish(images.blobs, base.manifest, base.configuration, (), runs)[0]


def python(images: ImageStore, notes: Path, tick: Tick) -> Base:
    """This machine's, packed once for as long as it stays as it is. Blocking.

    Raises:
        BuildFailed: it cannot be told what it consists of.
    """
    library = list(host_python.files(host_python.library()))
    items = [*host_python.around(), *host_python.programs(library)]
    sources = [path for path in library if path.suffix == ".py"]
    note = notes / f"python-{_key([*items, *(file_item(str(path), path) for path in sources)])}"
    layer = _noted(note, images)
    if layer is None:
        with _compiled({str(path).lstrip("/"): path for path in sources}, "/") as modules:
            layer = pack([*items, *modules], images.blobs, tick)
        note.write_bytes(msgspec.json.encode(layer))
    return Base(None, scratch().configuration, (layer,), is_python=True)


def _noted(note: Path, images: ImageStore) -> Layer | None:
    with contextlib.suppress(OSError, msgspec.DecodeError):
        layer = msgspec.json.decode(note.read_bytes(), type=Layer)
        if images.blobs.size(layer.descriptor.digest) == layer.descriptor.size:
            return layer
    return None


def _key(items: list[Item]) -> str:
    whole = hashlib.sha256(host_python.version().encode())
    for item in items:
        whole.update(f"{item.name}\0{item.kind}\0{item.mode}\0".encode())
        if isinstance(item.source, Path):
            found = item.source.stat()
            whole.update(f"{found.st_size} {found.st_mtime_ns}\0".encode())
        else:
            whole.update(item.source if isinstance(item.source, bytes) else item.source.encode())
    return whole.hexdigest()[:32]


def build(
    path: Path,
    base: Base,
    plan: Plan,
    images: ImageStore,
    tick: Tick = lambda _: None,
    note: Callable[[str], None] = lambda _: None,
) -> tuple[str, Manifest]:
    """Its digest. Blocking.

    Raises:
        NotFound, BadRequest, PayloadTooLarge: the directory cannot be packed.
        BadConfig: nobody says what is to run.
        BuildFailed: a module in it is no Python.
    """
    found, notes = files_of(path)
    for line in notes:
        note(line)
    runs = _runs(base, plan, dict(found))
    placed = {f"{APP}/{name}": file for name, file in found}
    modules = {name: file for name, file in placed.items() if base.is_python and name.endswith(".py")}
    with _compiled(modules, "/") as compiled:
        rest = [file_item(name, file) for name, file in placed.items() if name not in modules]
        layers = [*base.layers, pack([*rest, *compiled], images.blobs, tick)]
    if plan.pad_bytes:
        with tempfile.NamedTemporaryFile(dir=images.blobs.tmp) as file:
            for block in padding(plan.pad_bytes):
                file.write(block)
            file.flush()
            layers.append(pack([Item(PAD, source=Path(file.name))], images.blobs, tick))
    return finish(images.blobs, base.manifest, base.configuration, layers, runs)


def _runs(base: Base, plan: Plan, files: dict[str, Path]) -> Execution:
    before = base.configuration.config or Execution()
    env = {name: value for name, _, value in (one.partition("=") for one in (*(before.env or ()), *plan.env))}
    if base.is_python:
        env = {"PATH": "/usr/bin", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", **env}
    entrypoint, cmd = before.entrypoint, before.cmd
    command = plan.command or _found(base, files)
    if command:
        entrypoint, cmd = list(command), []
    if not entrypoint and not cmd and plan.labels.get(CONTRACT) != Contract.GUEST:
        what = f"nothing says what is to run: there is no {PROGRAM} and no {MAIN} for a Python in it"
        raise BadConfig(what, "--command 'python3 server.py', or give it a program called bootstrap")
    return msgspec.structs.replace(
        before,
        env=[f"{name}={value}" for name, value in env.items()],
        entrypoint=entrypoint,
        cmd=cmd,
        working_dir=f"/{APP}",
        labels={**(before.labels or {}), **plan.labels},
    )


def _found(base: Base, files: dict[str, Path]) -> tuple[str, ...]:
    if PROGRAM in files:
        return (f"/{APP}/{PROGRAM}",)
    return ("python3", f"/{APP}/{MAIN}") if base.is_python and MAIN in files else ()


@contextlib.contextmanager
def _compiled(modules: dict[str, Path], root: str) -> Iterator[list[Item]]:
    """Sources, by their names in the image, and beside them what Python makes of them: so that no start compiles. It
    goes by the source's hash, which is not looked at again, and not by its time.

    A process of its own compiles: what is written depends a little on what its process has in memory.
    """
    with tempfile.TemporaryDirectory(prefix="attacca-build-") as room:
        for name, path in modules.items():
            target = Path(room, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            target.chmod(0o755 if os.access(path, os.X_OK) else 0o644)
        if modules:
            _compile(room, root)
        yield [file_item(str(path.relative_to(room)), path) for path in sorted(Path(room).rglob("*")) if path.is_file()]


def _compile(room: str, root: str) -> None:
    words = [sys.executable, "-I", "-m", "compileall", "-q", "-f", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    try:
        told = subprocess.run(
            [*words, "-s", room, "-p", root, room], capture_output=True, check=False, timeout=COMPILE_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise BuildFailed(f"compiling took more than {COMPILE_S} s", "put less into the directory") from None
    wrong = [line for line in told.stdout.decode(errors="replace").splitlines() if line.startswith("***")]
    ours = [line for line in wrong if f"{room}/{APP}/" in line.replace("'", "")]
    if ours:
        raise BuildFailed(ours[0].replace(room, "")[:500], "mend it, or list it in .attaccaignore")
