"""What is deployed: the code at a path, and its settings from function.toml and the command line."""

import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import msgspec

from attacca.client.http import Client, from_words
from attacca.errors import BadConfig, BadFunction, NotFound
from attacca.kernel import settings as layers
from attacca.kernel.text import AS_UTF_8, decoded
from attacca.model.function import MODULE, PROGRAM, RuntimeKind, Settings

FILE = "function.toml"
BLOCK = 64 * 1024  # of an archive on its way
OPTIONS = {  # the option of `attacca deploy` that sets each field
    "name": "--name",
    "handler": "--handler",
    "runtime": "--runtime",
    "memory_mb": "--memory",
    "timeout_s": "--timeout",
    "first_byte_s": "--first-byte",
    "wait_s": "--wait",
    "concurrency": "--concurrency",
    "min_sandboxes": "--min",
    "max_sandboxes": "--max",
    "cpus": "--cpus",
    "gpu": "--gpu",
    "queue": "--queue",
    "network": "--network",
    "allow": "--allow",
    "bandwidth_mbps": "--bandwidth",
    "publish": "--publish",
    "idempotent": "--idempotent",
    "pure": "--pure",
}


class Source(msgspec.Struct, frozen=True):
    """A function as it lies on disk."""

    path: Path
    settings: Settings


def find(
    path: Path,
    flags: Mapping[str, object],
    env: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    name_of: Path | None = None,
) -> Source:
    """The function at a path, its settings from function.toml and `flags`, which win, all of it checked.

    `flags` are fields of Settings. `name_of`: whose name it has where nobody gives one.

    Raises:
        NotFound: nothing is there.
        BadFunction: it is no Python file and no directory with one.
        BadConfig: a setting is unknown or has a value that is not allowed.
    """
    if not path.exists():
        raise NotFound(f"{str(path)!r} does not exist", "attacca init DIR writes a function to start from")
    if path.is_file() and path.suffix not in (".py", MODULE):
        raise BadFunction(
            f"{str(path)!r} is no Python file and no .wasm",
            "deploy a .py file, a directory with one, a .zip of it, or an image",
        )
    if path.is_dir() and not os.access(path, os.R_OK | os.X_OK):
        raise BadFunction(f"{str(path)!r} cannot be read: Permission denied", "check its mode")
    named = {"name": layers.Given(default_name(name_of or path), layers.DEFAULT, f"the name of {name_of or path}")}
    given = {key: (value, OPTIONS[key]) for key, value in flags.items()}
    given |= {f"env.{key}": (value, f"--env {key}") for key, value in (env or {}).items()}
    given |= {f"secrets.{key}": (value, f"--secret {key}") for key, value in (secrets or {}).items()}
    layer = _file(path)
    if path.is_dir() and not is_layout(path) and not _has_code(path) and not _is_elsewhere(layer, flags):
        what = f"there is no Python file in {str(path)!r}, no program {PROGRAM}, and no {MODULE} file"
        raise BadFunction(what, f"attacca init {path}")
    settled = layers.settle(Settings, [named, layer, layers.read_flags(given)])
    return Source(path, settled.value)


def _is_elsewhere(layer: layers.Layer, flags: Mapping[str, object]) -> bool:
    """Is what is to run pulled by a cluster?"""
    given = layer.get("runtime")
    return (flags.get("runtime") or (given.value if given is not None else "")) == RuntimeKind.KUBERNETES


def is_layout(path: Path) -> bool:
    """Is this directory an image, as the OCI lays it out?"""
    return (path / "oci-layout").is_file() and (path / "index.json").is_file()


def _has_code(path: Path) -> bool:
    return (path / PROGRAM).exists() or next(path.glob(f"*{MODULE}"), next(path.rglob("*.py"), None)) is not None


def _file(path: Path) -> layers.Layer:
    """function.toml beside the code, if there is one. It belongs to a directory, not to a single file."""
    file = path / FILE
    if not path.is_dir() or not file.is_file():
        return {}
    try:
        text = decoded(file.read_bytes())
    except ValueError as wrong:
        raise BadConfig(f"{file} {wrong}", AS_UTF_8) from None
    except OSError as error:
        raise BadConfig(f"{file} cannot be read: {error.strerror}", "check its mode") from None
    return layers.read_toml(text, str(file))


def default_name(path: Path) -> str:
    """The path's own name as an RFC 1035 label: `My_Func.py` is `my-func`."""
    stem = path.resolve().stem if path.is_file() else path.resolve().name
    label = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")
    if not label:
        return "function"
    return (label if label[0].isalpha() else f"f-{label}")[:63].rstrip("-")


def deploy(
    client: Client, source: Source, archive: IO[bytes], *, allow_source_builds: bool
) -> Iterator[dict[str, Any]]:
    """The steps of a deployment as they come, and last `{"done": ...}`; `archive` is sent in pieces.

    Raises:
        AttaccaError: the server refused it; a traceback goes along as a note.
    """
    pieces, content_type = multipart(
        {
            "settings": msgspec.json.encode(source.settings),
            "allow_source_builds": b"true" if allow_source_builds else b"false",
            "code": archive,
        }
    )
    headers = {"content-type": content_type, "content-length": str(sum(map(size_of, pieces)))}
    for line in client.lines("POST", "/api/functions", Blocks(pieces), headers):
        if "error" in line:
            said = line["error"]
            raise from_words(said["code"], said["message"], said.get("try", ""), own_frames(said.get("traceback", "")))
        yield line


def multipart(parts: Mapping[str, bytes | IO[bytes]]) -> tuple[list[bytes | IO[bytes]], str]:
    """multipart/form-data, one piece after the other, and its content type; the archive goes as a file."""
    boundary = f"attacca-{secrets.token_hex(16)}"
    pieces: list[bytes | IO[bytes]] = []
    for name, content in parts.items():
        file = '; filename="code.tar.gz"\r\ncontent-type: application/gzip' if name == "code" else ""
        head = f'--{boundary}\r\ncontent-disposition: form-data; name="{name}"{file}\r\n\r\n'
        pieces += [head.encode(), content, b"\r\n"]
    pieces.append(f"--{boundary}--\r\n".encode())
    return pieces, f"multipart/form-data; boundary={boundary}"


def size_of(piece: bytes | IO[bytes]) -> int:
    """The bytes that are left of it."""
    if isinstance(piece, bytes):
        return len(piece)
    here, end = piece.tell(), piece.seek(0, os.SEEK_END)
    return end - piece.seek(here)


class Blocks:
    """What pieces are made of, as often as it is gone through."""

    def __init__(self, pieces: Sequence[bytes | IO[bytes]]) -> None:
        self._pieces = [(piece, 0 if isinstance(piece, bytes) else piece.tell()) for piece in pieces]

    def __repr__(self) -> str:
        return f"<Blocks of {len(self._pieces)} pieces>"

    def __iter__(self) -> Iterator[bytes]:
        for piece, begin in self._pieces:
            if isinstance(piece, bytes):
                yield piece
            else:
                piece.seek(begin)
                while block := piece.read(BLOCK):
                    yield block


def own_frames(traceback: str) -> str:
    """The traceback without the frames of the platform and of the import machinery."""
    kept: list[str] = []
    is_ours = False
    for line in traceback.rstrip().splitlines():
        frame = re.match(r'\s+File "([^"]+)"', line)
        if frame:
            is_ours = "importlib" in frame[1] or "/attacca/" in frame[1] or "runpy" in frame[1]
        elif not line.startswith(" "):
            is_ours = False
        if not is_ours:
            kept.append(line)
    has_frames = any(re.match(r'\s+File "', line) for line in kept)
    return "\n".join(kept if has_frames else [line for line in kept if not line.startswith("Traceback")])


def example(done: Mapping[str, Any]) -> str:
    """A command that invokes what was deployed."""
    name = done["function"]
    match done["signature"]:
        case "asgi":
            return f"attacca invoke {name} -X GET --path /"
        case "event_context":
            return f"attacca invoke {name} -d '{json.dumps({'key': 'value'})}'"
        case "args":
            return f"attacca invoke {name} -d '{{}}'"
        case _:
            return f"attacca invoke {name}"
