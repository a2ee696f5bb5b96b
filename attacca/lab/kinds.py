"""The runtimes that there are, each with the least function that it runs, written and built where it is measured."""

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

from attacca.client.component import TOOL, ready
from attacca.client.source import FILE, Source, find
from attacca.errors import IsolationMissing
from attacca.images import build, layout
from attacca.images.store import ImageStore
from attacca.io.unpacking import unpack
from attacca.model.image import CONTRACT, Contract
from attacca.worker.runtime.container.engines import daemons
from attacca.worker.runtime.container.keeping import PROGRAMS, engine_of
from attacca.worker.runtime.container.options import ContainerOptions
from attacca.worker.runtime.kubernetes.looked import look
from attacca.worker.runtime.kubernetes.options import KubernetesOptions
from attacca.worker.runtime.microvm.needs import HINT, lacking
from attacca.worker.runtime.microvm.options import MicroVmOptions

PYTHON: Final = "def handler(event, context):\n    return event\n"
SERVER: Final = """import os
import socket

ANSWER = b"HTTP/1.1 200 OK\\r\\ncontent-length: 2\\r\\n\\r\\nok"
server = socket.create_server(("", int(os.environ["PORT"])))
while True:
    client, _ = server.accept()
    with client:
        while data := client.recv(65_536):
            if data.endswith((b"\\r\\n\\r\\n", b"{}")):
                client.sendall(ANSWER)
"""
COMMAND: Final = """(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (func (export "_start")
    (i32.store (i32.const 0) (i32.const 1024))
    (i32.store (i32.const 4) (i32.const 65536))
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.store (i32.const 4) (i32.load (i32.const 8)))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12)))))
"""
COMPONENT: Final = """(component
  (core module $code
    (memory (export "memory") 4)
    (global $free (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.set $free (i32.add (global.get $free) (local.get 3)))
      (i32.sub (global.get $free) (local.get 3)))
    (func (export "handle") (param $at i32) (param $size i32) (result i32)
      (i32.store (i32.const 0) (i32.const 0))
      (i32.store (i32.const 4) (local.get $at))
      (i32.store (i32.const 8) (local.get $size))
      (i32.const 0)))
  (core instance $made (instantiate $code))
  (func (export "handle") (param "body" (list u8)) (result (result (list u8) (error string)))
    (canon lift (core func $made "handle")
      (memory (core memory $made "memory")) (realloc (core func $made "realloc")))))
"""
WASM: Final = "pip install 'attacca[wasm]'"


CLUSTER: Final = "no cluster is named that pulls it an image: --kubeconfig FILE, --image NAME"


class Places(msgspec.Struct, frozen=True):
    """What is elsewhere: where daemons listen, and the cluster that a kubeconfig names, which can pull the image."""

    container: ContainerOptions = ContainerOptions()
    kubeconfig: str = ""
    image: str = ""


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One runtime, and of containers one engine, of micro-VMs one monitor."""

    name: str  # of its function
    runtime: str
    isolation: str
    needs: str
    engine: str = ""
    write: Callable[[Path], Path]  # what is deployed, into an empty directory; where it is
    missing: Callable[[Places], str]  # why it is not here; empty: it is
    is_pulled: bool = False  # an image that comes from elsewhere, and runs where nobody can weigh it

    @contextlib.contextmanager
    def source(self, place: Path, image: str) -> Iterator[Source]:
        """The function as it can be sent; `image` is what a cluster pulls.

        Raises:
            AttaccaError: it cannot be built.
        """
        runtime = self.runtime.partition(",")[0]
        flags: dict[str, object] = {"name": self.name, "runtime": runtime}
        made = self.write(place)
        if self.is_pulled:
            (made / FILE).write_text(f"image = {json.dumps(image)}\n")
        with ready(find(made, flags), lambda _: None) as source:
            yield source


def _python(place: Path) -> Path:
    (place / "main.py").write_text(PYTHON)
    return place


def _program(place: Path) -> Path:
    program = place / "bootstrap"
    program.write_text(f"#!{os.path.realpath(sys.executable)} -IS\n{SERVER}")
    program.chmod(0o755)
    return place


def _module(text: str) -> Callable[[Path], Path]:
    def write(place: Path) -> Path:
        import wasmtime

        made = place / "function.wasm"
        made.write_bytes(wasmtime.wat2wasm(text))
        return made

    return write


def _image(place: Path) -> Path:
    """This machine's Python, and a server of few lines; made once for all engines, beside what is of one alone."""
    made = place.with_name("image")
    if not made.exists():
        _built(place, made, SERVER, build.Plan(command=("python3", "-IS", "/app/main.py")))
    return made


def _python_image(place: Path) -> Path:
    """This machine's Python, and a function that it runs in there."""
    made = place / "image"
    _built(place, made, PYTHON, build.Plan(labels={CONTRACT: Contract.GUEST.value}))
    return made


def _built(place: Path, made: Path, program: str, plan: build.Plan) -> None:
    code = place / "code"
    code.mkdir()
    (code / "main.py").write_text(program)
    images = ImageStore(place / "images", place / "tmp")
    images.open()
    digest, manifest = build.build(code, build.python(images, place, lambda _: None), plan, images)
    with tempfile.TemporaryFile() as file:
        layout.write(file, images.blobs, digest, manifest, [])
        file.seek(0)
        with tarfile.open(fileobj=file) as archive:
            unpack(archive, made)


def _elsewhere(place: Path) -> Path:
    return place


def _nothing(_: Places) -> str:
    return ""


def _no_wasm(_: Places) -> str:
    return "" if importlib.util.find_spec("wasmtime") else WASM


def _no_component(places: Places) -> str:
    beside = Path(sys.executable).with_name(TOOL)
    try:
        importlib.metadata.version(TOOL)
    except importlib.metadata.PackageNotFoundError:
        return "pip install 'attacca[wasm,componentize]'"
    return _no_wasm(places) or ("" if beside.is_file() or shutil.which(TOOL) else f"{TOOL} is not on PATH")


def _no_engine(name: str) -> Callable[[Places], str]:
    def missing(places: Places) -> str:
        options = places.container
        if os.geteuid() != 0:
            return "containers are made by root"
        if name not in PROGRAMS:
            is_there = any(one.startswith(f"{name} at ") for one in daemons(options))
            where = options.containerd if name == "containerd" else options.docker
            return "" if is_there else f"nobody listens at {where}"
        try:
            engine_of(name)
        except IsolationMissing as error:
            return error.message
        return ""

    return missing


def _no_machine(monitor: Literal["qemu", "firecracker"]) -> Callable[[Places], str]:
    return lambda _: lacking(MicroVmOptions(monitor=monitor))


def _no_cluster(places: Places) -> str:
    if not places.kubeconfig or not places.image:
        return CLUSTER
    found = look(KubernetesOptions(kubeconfig=places.kubeconfig))
    return "" if found.is_fine else found.detail


def _container(engine: str, needs: str, isolation: str = "namespaces, an image's own files, seccomp, cgroup") -> Kind:
    return Kind(
        name=f"by-{engine}", runtime=f"container, {engine}", engine=engine,
        isolation=isolation, needs=needs,
        write=_image, missing=_no_engine(engine),
    )  # fmt: skip


def _machine(name: str, monitor: Literal["qemu", "firecracker"], isolation: str, needs: str) -> Kind:
    return Kind(
        name=name, runtime=f"microvm, {monitor}", engine=monitor, isolation=isolation, needs=needs,
        write=_python, missing=_no_machine(monitor),
    )  # fmt: skip


SHELL: Final = "namespaces, the system read-only, seccomp, cgroup"
ROOT: Final = "Linux 5.12; root, or namespaces for ordinary users"
KINDS: Final = (
    Kind(name="process", runtime="process", isolation=SHELL, needs=ROOT, write=_python, missing=_nothing),
    Kind(
        name="in-image", runtime="process, in an image", isolation="namespaces, the image read-only, seccomp, cgroup",
        needs="the same, and `overlay` in the kernel", write=_python_image, missing=_nothing,
    ),
    Kind(name="custom", runtime="custom", isolation=SHELL, needs=ROOT, write=_program, missing=_nothing),
    Kind(
        name="command", runtime="wasm, a command", isolation=f"WebAssembly, in a process: {SHELL}", needs=f"`{WASM}`",
        write=_module(COMMAND), missing=_no_wasm,
    ),
    Kind(
        name="component", runtime="wasm, a component", isolation="the same", needs=f"`{WASM}`",
        write=_module(COMPONENT), missing=_no_wasm,
    ),
    Kind(
        name="python-component", runtime="wasm, Python", isolation="the same",
        needs="the same; who deploys it: `pip install 'attacca[componentize]'`", write=_python, missing=_no_component,
    ),
    _container("crun", "root; `apt-get install crun`"),
    _container("runc", "root; `apt-get install runc`"),
    _container("runsc", "root; `apt-get install runsc`", "gVisor's kernel, namespaces, an image's own files, cgroup"),
    _container("containerd", "root; the daemon, `pip install 'attacca[containerd]'`"),
    _container("docker", "root; the daemon"),
    _machine("microvm", "qemu", "a kernel of its own, QEMU, seccomp, cgroup", f"`{HINT}`"),
    _machine("firecracker", "firecracker", "a kernel of its own, Firecracker, seccomp, cgroup", "the same, it, KVM"),
    Kind(
        name="kubernetes", runtime="kubernetes", engine="kubernetes", isolation="a pod, as the cluster's nodes make it",
        needs="a cluster whose pods the worker reaches; `pip install 'attacca[kubernetes]'`",
        write=_elsewhere, missing=_no_cluster, is_pulled=True,
    ),
)  # fmt: skip
