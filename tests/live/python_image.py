"""An image of this interpreter and of one program that does what $DOING says: unpacked, as a runtime wants it."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path
from typing import Any

import msgspec

from attacca.images.core.manifests import OCI_MANIFEST
from attacca.model.image import ImageConfig, UnpackedImage
from tests.images.stage import parts, sha

PACKAGES = str(Path(msgspec.__file__).parents[1])  # the machine's own, where the environment sees those
DIGEST = "ab" * 32
LOADED = """
import sys, contextlib, ctypes, runpy, encodings.idna, errno, os, selectors, socket, threading, traceback
for module in sys.modules.values():
    for path in (getattr(module, "__file__", None), getattr(module, "__cached__", None)):
        if path and path.endswith((".py", ".pyc", ".so")) and os.path.exists(path):
            print(path)
"""
PROGRAM = """
import os, socket, sys, threading

DOING = os.environ.get("DOING", "echo")
if DOING == "broken":
    import nothing_of_this_name
if DOING == "deaf":
    threading.Event().wait()


def lines(stream):
    head = []
    while (line := stream.readline().strip()):
        head.append(line.lower())
    return head


def body(stream, head):
    for line in head:
        if line.startswith(b"content-length:"):
            yield stream.read(int(line.split(b":")[1]))
            return
    while size := int(stream.readline(), 16):
        yield stream.read(size)
        stream.readline()
    stream.readline()


def work(sock):
    stream = sock.makefile("rb")
    while head := lines(stream):
        if DOING == "stream":
            sock.sendall(b"HTTP/1.1 200 OK\\r\\ntransfer-encoding: chunked\\r\\n\\r\\n")
            for piece in body(stream, head):
                if piece:
                    sock.sendall(b"%x\\r\\n%b\\r\\n" % (len(piece), piece))
            sock.sendall(b"0\\r\\n\\r\\n")
            continue
        data = b"".join(body(stream, head))
        if DOING == "exit":
            os._exit(3)
        elif DOING == "wait":
            threading.Event().wait()
        elif DOING == "hog":
            data = b"%d" % len(b"x" * (1 << 30))
        elif DOING == "links":
            data = ('["%s"]' % '","'.join(sorted(name for _, name in socket.if_nameindex()))).encode()
        elif DOING == "print":
            print("hello", flush=True)
        elif DOING == "python":
            found = {}
            exec(data.decode(), found)
            data = repr(found["said"]).encode()
        head = b"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-length: %d\\r\\n\\r\\n"
        sock.sendall(head % len(data) + data)


server = socket.create_server(("", int(os.environ["PORT"])), backlog=100)
while True:
    client, _ = server.accept()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=work, args=(client,), daemon=True).start()
"""


def loaded(module: str) -> str:
    """What prints the files that it needs."""
    if not module:
        return LOADED
    return LOADED.replace(
        "import sys,", f"import sys; sys.path.append({PACKAGES!r}); import http.client, {module}.bootstrap,"
    )


def laid_out(directory: Path, doing: str, image: UnpackedImage | None = None) -> Path:
    """As the OCI lays an image out, in an empty directory."""
    image = image or unpacked(directory / "unpacked")
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        archive.add(image.rootfs, arcname=".")
    assert image.config.entrypoint is not None
    runs: dict[str, object] = {
        "Entrypoint": list(image.config.entrypoint),
        "Env": [*(image.config.env or ()), f"DOING={doing}"],
        "User": image.config.user,
    }
    blobs, manifest = parts(layer.getvalue(), runs=runs, level=1)
    target = directory / "layout"
    (target / "blobs" / "sha256").mkdir(parents=True)
    for blob in (*blobs, manifest):
        (target / "blobs" / "sha256" / sha(blob).removeprefix("sha256:")).write_bytes(blob)
    one = {"mediaType": OCI_MANIFEST, "digest": sha(manifest), "size": len(manifest)}
    (target / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [one]}))
    (target / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return target


def unpacked(directory: Path, program: str = PROGRAM, **options: Any) -> UnpackedImage:
    """Made anew in an empty directory: the interpreter, what the program imports, and what that is linked to.
    `options` are `module`, which is run in its place and imports it, and `labels`."""
    module: str = options.get("module", "")
    root = directory / "rootfs"
    interpreter = Path(os.path.realpath(sys.executable))
    libraries = Path(sysconfig.get_path("stdlib"))
    told = subprocess.run(
        [interpreter, "-I", "-S", "-c", loaded(module)], capture_output=True, text=True, check=True
    ).stdout
    modules = {Path(line) for line in told.splitlines()} | {libraries / "os.py"}
    binaries = [interpreter, *(one for one in modules if one.suffix == ".so")]
    for path in (*binaries, *modules, *_libraries(binaries)):
        _copy(path, root)
    (root / str(libraries).lstrip("/") / "lib-dynload").mkdir(exist_ok=True)
    for name in ("tmp", "proc", "dev", "sys", "etc", "app"):
        (root / name).mkdir(exist_ok=True)
    (root / "etc" / "passwd").write_text("root:x:0:0::/:/bin/sh\nsomebody:x:1234:1235::/:/bin/sh\n")
    (root / "app" / "main.py").write_text(program)
    config = ImageConfig(
        entrypoint=(str(interpreter), "-I", "-S", "/app/main.py"),
        env=("LANG=C.UTF-8",),
        user="somebody",
        labels=options.get("labels"),
    )
    if module:
        copied = shutil.ignore_patterns("__pycache__")
        shutil.copytree(f"{PACKAGES}/{module}", root / "packages" / module, ignore=copied, dirs_exist_ok=True)
        config = msgspec.structs.replace(
            config,
            entrypoint=(str(interpreter), "-S", "-m", module, "main.handler"),
            env=("LANG=C.UTF-8", "PYTHONPATH=/app:/packages"),
            working_dir="/app",
        )
    for path in (directory, root):
        path.chmod(0o755)
    return UnpackedImage(DIGEST, str(root), config)


def _copy(path: Path, root: Path) -> None:
    target = root / str(path).replace(PACKAGES, "/packages").lstrip("/")  # which may lie below /tmp
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, target)


def _libraries(binaries: list[Path]) -> set[Path]:
    told = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True, check=True).stdout
    return {Path(one) for one in re.findall(r"(/\S+\.so[\d.]*)", told)} - set(binaries)
