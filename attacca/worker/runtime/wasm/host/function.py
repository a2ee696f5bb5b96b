"""A module of WebAssembly as a function: the WSGI application that the worker's agent finds here."""

import os
from collections.abc import Callable
from typing import Any

from .instances import Runner

HERE = os.path.dirname(os.path.dirname(__file__))
MEMORY, USUAL_MB = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", 128  # of a sandbox
OWN_MB = 16  # of that, for us; the rest is an instance's linear memory


def _load() -> Runner:
    """From beside this directory, where there is one such file."""
    (name,) = (name for name in os.listdir(HERE) if name.endswith(".machine"))
    said_mb = os.environ.get(MEMORY, "")
    memory_mb = int(said_mb) if said_mb.isdecimal() else USUAL_MB  # its settings may say otherwise, which holds nobody
    return Runner(name[:1].encode(), os.path.join(HERE, name), max(memory_mb - OWN_MB, 1) << 20)


def before_template() -> None:
    function.try_out()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    status, fields, body = function.answer(environ)
    start_response(f"{status} said by it", [*fields, ("Content-Length", str(len(body)))])
    return [body]


function = _load()
