"""Workflows of a server, for scripts: start one from what lies on disk."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from attacca.client.http import Client
from attacca.client.source import Blocks, multipart, size_of
from attacca.client.workflow_file import WorkflowSource
from attacca.errors import BadConfig
from attacca.io.archive import packed


def started(client: Client, source: WorkflowSource, say: Callable[[str], None]) -> dict[str, Any]:
    """What the server says of it once all of it is up.

    Raises:
        AttaccaError: the server refused it, or a part of it could not be started; with why.
    """
    spec = source.spec(uploaded(client, source, say))
    say(f"start {len(spec.components)} components")
    view: dict[str, Any] = client.json("POST", "/api/workflows", msgspec.to_builtins(spec))
    return view


def uploaded(client: Client, source: WorkflowSource, say: Callable[[str], None]) -> dict[str, dict[str, Any]]:
    """What the code of each component became.

    Raises:
        AttaccaError: the server refused it.
    """
    artefacts: dict[str, dict[str, Any]] = {}
    for name, path in source.code.items():
        notes: list[str] = []
        with assembled(path) as there, packed(there, notes) as archive:
            say(f"upload {name}")
            pieces, content_type = multipart({"code": archive})
            headers = {"content-type": content_type, "content-length": str(sum(map(size_of, pieces)))}
            (artefacts[name],) = client.lines("POST", "/api/code", Blocks(pieces), headers)
    return artefacts


@contextlib.contextmanager
def assembled(path: Path) -> Iterator[Path]:
    """Of the text of a module of WebAssembly the module; all else as it is.

    Raises:
        BadConfig: it is no such text, or wasmtime, which assembles it, is not installed.
    """
    if path.suffix != ".wat":
        yield path
        return
    try:
        import wasmtime
    except ImportError:
        hint = "pip install 'attacca[wasm]', or assemble it and write code = \"FILE.wasm\""
        raise BadConfig(f"{path} is to be assembled, and wasmtime is not installed", hint) from None
    try:
        module = bytes(wasmtime.wat2wasm(path.read_text()))
    except (wasmtime.WasmtimeError, ValueError) as error:
        raise BadConfig(f"{path}: {error}", "docs/workflows.md says what a module exports") from None
    with tempfile.TemporaryDirectory(prefix="attacca-") as directory:
        file = Path(directory) / f"{path.stem}.wasm"
        file.write_bytes(module)
        yield file
