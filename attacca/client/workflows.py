"""Workflows of a server, for scripts: start one from what lies on disk."""

from collections.abc import Callable
from typing import Any

import msgspec

from attacca.client.http import Client
from attacca.client.source import Blocks, multipart, size_of
from attacca.client.workflow_file import WorkflowSource
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
        with packed(path, notes) as archive:
            say(f"upload {name}")
            pieces, content_type = multipart({"code": archive})
            headers = {"content-type": content_type, "content-length": str(sum(map(size_of, pieces)))}
            (artefacts[name],) = client.lines("POST", "/api/code", Blocks(pieces), headers)
    return artefacts
